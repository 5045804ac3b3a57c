"""What int8 costs in quality: ROUGE and facts of a model's summaries on held-out dialogues, in each number format.

Those of 16 bits compute as a GPU does, here on CPUs. int8 (QUANTIZE=int8) rounds activations as well as weights;
"int8 weights" (QUANTIZE=int8-weights) are widened for each product.

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
from serving.products.layouts import Quantize
from serving.request import ValidRequest
from serving.sequence import Sequence
from serving.t5 import T5Config
from training.corpus.dialogues import take
from training.embedded.evaluation import MAX_NEW_TOKENS, evaluate

MAX_SOURCE = 512
# by name: the numbers between products, and how weights are held
FORMS: dict[str, tuple[torch.dtype, Quantize]] = {
    "float32": (torch.float32, "none"),
    "float32, int8": (torch.float32, "int8"),
    "float32, int8 weights": (torch.float32, "int8-weights"),
    "bfloat16": (torch.bfloat16, "none"),
    "bfloat16, int8": (torch.bfloat16, "int8"),
    "bfloat16, int8 weights": (torch.bfloat16, "int8-weights"),
    "float16": (torch.float16, "none"),
    "float16, int8": (torch.float16, "int8"),
    "float16, int8 weights": (torch.float16, "int8-weights"),
}


class Generates:
    """Our engine where `training.evaluation` expects a model of transformers."""

    def __init__(self, folder: Path, *, dtype: torch.dtype, quantize: Quantize) -> None:
        device = torch.device("cpu")
        config = T5Config.from_json(json.loads((folder / "config.json").read_text()))
        layout = choose_layout(config, device=device, dtype=dtype, quantize=quantize)
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
    wanted: list[str] = []
    for name, (dtype, quantize) in FORMS.items():
        report = evaluate(Generates(options.folder, dtype=dtype, quantize=quantize), tokenizer, held)
        wanted = wanted or report.outputs
        same = sum(a == b for a, b in zip(wanted, report.outputs, strict=True))
        rouge = "  ".join(f"{metric} {value:.2f}" for metric, value in report.rouge.items())
        print(
            f"{name:23} {rouge}  every fact {report.facts:.1f} %  "
            f"{100 * same / len(held):.1f} % word for word as float32  ({report.count} dialogues)",
            flush=True,
        )


if __name__ == "__main__":
    main()
