"""One engine in a process of its own, driven line by line by `bench_engine`: our own, transformers, CTranslate2.

Knows how to load each and to time one load; knows nothing of rounds, medians or reports. CTranslate2 may live in
another Python than ours, so this file imports nothing at the top that only one of them has.

    python scripts/engine_contenders.py KIND FOLDER THREADS

and then one JSON object per line: {"prompts", "lengths", "slots", "beams"}. With beams the lengths are all the same.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.products.layouts import Quantize

ROOT = Path(__file__).resolve().parent.parent
# prompts, the number of tokens to generate for each, how many may run at once, beams -> the generated tokens
Run = Callable[[list[list[int]], list[int], int, int], list[list[int]]]


def main() -> None:
    kind, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    started = time.perf_counter()
    run = {
        "ours-fp32": lambda: load_ours(folder, threads, "none"),
        "ours-int8": lambda: load_ours(folder, threads, "int8"),
        "transformers-fp32": lambda: load_transformers(folder, threads),
        "ct2-fp32": lambda: load_ctranslate2(folder, threads, "float32"),
        "ct2-int8": lambda: load_ctranslate2(folder, threads, "int8"),
    }[kind]()
    print(json.dumps({"load_s": time.perf_counter() - started}), flush=True)
    for line in sys.stdin:
        load = json.loads(line)
        begin = time.perf_counter()
        answers = run(load["prompts"], load["lengths"], load["slots"], load["beams"])
        seconds = time.perf_counter() - begin
        if list(map(len, answers)) != load["lengths"]:
            raise SystemExit(f"{kind} generated {list(map(len, answers))} tokens, asked for {load['lengths']}")
        print(json.dumps({"seconds": seconds, "first": answers[0][:8], "peak_mb": peak_mb()}), flush=True)


def load_ours(folder: Path, threads: int, quantize: Quantize) -> Run:
    """The engine as the server runs it, without the server: slots refilled as sequences end."""
    sys.path.insert(0, str(ROOT))
    import torch

    torch.set_num_threads(threads)
    from serving.checkpoint.t5_folder import choose_layout, load_t5
    from serving.engine.continuous.t5_engine import T5Engine
    from serving.request import Beams, ValidRequest
    from serving.sequence import Sequence
    from serving.t5 import T5Config

    config = T5Config.from_json(json.loads((folder / "config.json").read_text()))
    layout = choose_layout(config, device=torch.device("cpu"), dtype=torch.float32, quantize=quantize)
    model = load_t5(
        config, [folder / "model.safetensors"], dtype=torch.float32, device=torch.device("cpu"), layout=layout
    )
    engines: dict[int, T5Engine] = {}

    def run(prompts: list[list[int]], lengths: list[int], slots: int, beams: int) -> list[list[int]]:
        rows = slots * beams
        if rows not in engines:
            engines.clear()
            engines[rows] = T5Engine(
                model, eos_ids=frozenset(), num_slots=rows, max_source=512, max_target=256, num_threads=threads
            )
        search = Beams(beams) if beams > 1 else None
        waiting = [
            Sequence(
                number,
                ValidRequest(prompt_ids=tuple(prompt), max_new_tokens=length, beams=search),
                tokenizer=Mute(),
                deadline=math.inf,
                listener=lambda event: None,
            )
            for number, (prompt, length) in enumerate(zip(prompts, lengths, strict=True))
        ]
        everyone, running = list(waiting), waiting[:0]
        while waiting or running:
            while waiting and len(running) < slots:
                running.append(waiting.pop(0))
            engines[rows].step(running)
            running = [sequence for sequence in running if not sequence.is_ended]
        return [sequence.output_ids for sequence in everyone]

    return run


class Mute:
    """Text is not what is measured."""

    open_ids: frozenset[int] = frozenset()
    rewrites: tuple[str, ...] = ()
    num_tokens = 0

    def encode(self, text: str) -> list[int]:
        raise NotImplementedError

    def decode(self, ids: object) -> str:
        return ""

    def piece(self, id_: int) -> str:
        return ""


def load_transformers(folder: Path, threads: int) -> Run:
    """`generate` over static batches, each to its longest; what it generates too much is cut off."""
    import torch
    from transformers import AutoModelForSeq2SeqLM

    torch.set_num_threads(threads)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()

    def run(prompts: list[list[int]], lengths: list[int], slots: int, beams: int) -> list[list[int]]:
        answers: list[list[int]] = []
        for begin in range(0, len(prompts), slots):
            part, wanted = prompts[begin : begin + slots], lengths[begin : begin + slots]
            longest = max(map(len, part))
            ids = torch.tensor([[*prompt, *[0] * (longest - len(prompt))] for prompt in part])
            mask = torch.tensor([[1] * len(prompt) + [0] * (longest - len(prompt)) for prompt in part])
            with torch.inference_mode():
                got = model.generate(
                    ids,
                    attention_mask=mask,
                    max_new_tokens=max(wanted),
                    eos_token_id=None,
                    do_sample=False,
                    num_beams=beams,
                )
            answers += [row[1 : 1 + length].tolist() for row, length in zip(got, wanted, strict=True)]
        return answers

    return run


def load_ctranslate2(folder: Path, threads: int, compute_type: str) -> Run:
    """Batches whose rows are dropped as they finish, by its callback."""
    import ctranslate2  # type: ignore[import-not-found]

    target = folder.with_name(f"{folder.name}-ct2-{os.getpid()}")
    ctranslate2.converters.TransformersConverter(str(folder)).convert(str(target))
    translator = ctranslate2.Translator(
        str(target), device="cpu", compute_type=compute_type, inter_threads=1, intra_threads=threads
    )

    def run(prompts: list[list[int]], lengths: list[int], slots: int, beams: int) -> list[list[int]]:
        answers: list[list[int]] = []
        for begin in range(0, len(prompts), slots):
            wanted = lengths[begin : begin + slots]

            def is_enough(step: Any, wanted: list[int] = wanted) -> bool:
                return bool(step.step + 1 >= wanted[step.batch_id])

            results = translator.translate_batch(
                [[f"t{token}" for token in prompt] for prompt in prompts[begin : begin + slots]],
                beam_size=beams,
                max_decoding_length=max(wanted),
                min_decoding_length=max(wanted),
                return_scores=False,
                callback=is_enough if len(set(wanted)) > 1 else None,
            )
            answers += [[int(token[1:]) for token in result.hypotheses[0]] for result in results]
        return answers

    return run


def peak_mb() -> float:
    """The most memory that this process has held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM:")), 0.0)


if __name__ == "__main__":
    main()
