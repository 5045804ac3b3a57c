"""What int8 costs in quality: ROUGE and facts of a model's summaries on held-out dialogues, in float32 and in int8.

python -m scripts.int8_quality models/dialogue-t5-mini --count 500
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from scripts.engine_contenders import Mute
from serving.checkpoint.t5_folder import choose_layout, load_t5
from serving.engine.continuous.t5_engine import T5Engine
from serving.request import ValidRequest
from serving.sequence import Sequence
from serving.t5 import T5Config
from training.corpus.dialogues import take
from training.embedded.evaluation import MAX_NEW_TOKENS, evaluate

MAX_SOURCE = 512


class Generates:
    """Our engine where `training.evaluation` expects a model of transformers."""

    def __init__(self, folder: Path, *, is_int8: bool) -> None:
        device, dtype = torch.device("cpu"), torch.float32
        config = T5Config.from_json(json.loads((folder / "config.json").read_text()))
        layout = choose_layout(config, device=device, dtype=dtype, is_int8=is_int8)
        model = load_t5(config, [folder / "model.safetensors"], dtype=dtype, device=device, layout=layout)
        self._engine = T5Engine(
            model, eos_ids=frozenset([1]), num_slots=32, max_source=MAX_SOURCE, max_target=MAX_NEW_TOKENS
        )

    def generate(self, *, input_ids: Any, attention_mask: Any, max_new_tokens: int, do_sample: bool) -> list[list[int]]:
        sequences = [
            Sequence(
                row,
                ValidRequest(prompt_ids=tuple(ids[: sum(mask)]), max_new_tokens=max_new_tokens),
                tokenizer=Mute(),
                deadline=math.inf,
                listener=lambda event: None,
            )
            for row, (ids, mask) in enumerate(zip(input_ids.tolist(), attention_mask.tolist(), strict=True))
        ]
        while running := [sequence for sequence in sequences if not sequence.is_ended]:
            self._engine.step(running)
        return [sequence.output_ids for sequence in sequences]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a T5 that training/ has made")
    parser.add_argument("--count", type=int, default=500, help="held-out dialogues")
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.folder)
    held = take("test", options.count, seed=1)
    outputs = []
    for name, is_int8 in (("float32", False), ("int8", True)):
        report = evaluate(Generates(options.folder, is_int8=is_int8), tokenizer, held)
        rouge = "  ".join(f"{metric} {value:.2f}" for metric, value in report.rouge.items())
        print(f"{name:8} {rouge}  every fact {report.facts:.1f} %  ({report.count} dialogues)")
        outputs.append(report.outputs)
    same = sum(a == b for a, b in zip(*outputs, strict=True))
    print(f"the same summary, word for word: {100 * same / len(held):.1f} %")


if __name__ == "__main__":
    main()
