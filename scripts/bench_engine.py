"""Engines side by side, without HTTP: tokens per second at Flan-T5's shapes, and a load of varied lengths.

Random weights in the exact shapes: speed does not depend on the values. Each contender is a process of its own that
waits for its turn; the rounds are interleaved, so that a slow minute of the machine hits all of them; medians are
compared, every number is kept as JSON.

    python -m scripts.bench_engine --shape small --batches 1,16 --rounds 5 --out engine.json
    python -m scripts.bench_engine --ct2-python ct2-venv/bin/python   with CTranslate2, in a Python of its own
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHAPES = {
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_heads": 6, "num_layers": 8},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 2048, "num_heads": 12, "num_layers": 12},
}
VOCAB = 32128
CONTENDERS = ("ours-fp32", "ours-int8", "transformers-fp32", "ct2-fp32", "ct2-int8")


class Contender:
    """One engine in a number of processes, each with its threads; a load is dealt out among them."""

    def __init__(self, kind: str, layout: str, *, folder: Path, python: str) -> None:
        workers, _, threads = layout.rpartition("x")
        self.name = f"{kind} {workers or 1}x{threads}"
        script = Path(__file__).with_name("engine_contenders.py")
        self._processes = [
            subprocess.Popen(
                [python, str(script), kind, str(folder), threads],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1"},
            )
            for _ in range(int(workers or 1))
        ]

    def wait_loaded(self) -> float:
        return max(float(self._receive(process)["load_s"]) for process in self._processes)

    def run(self, load: dict[str, Any]) -> dict[str, Any]:
        """Seconds until the last part is done, tokens in all, megabytes of all processes together."""
        count = min(len(self._processes), len(load["prompts"]))
        parts = [
            {
                "prompts": load["prompts"][number::count],
                "lengths": load["lengths"][number::count],
                "slots": -(-load["slots"] // count),
                "beams": load["beams"],
            }
            for number in range(count)
        ]
        begin = time.perf_counter()
        for process, part in zip(self._processes, parts, strict=False):
            if process.stdin is not None:
                process.stdin.write(json.dumps(part) + "\n")
                process.stdin.flush()
        replies = [self._receive(process) for process in self._processes[:count]]
        return {
            "seconds": time.perf_counter() - begin,
            "tokens": sum(load["lengths"]),
            "first": replies[0]["first"],
            "peak_mb": sum(reply["peak_mb"] for reply in replies),
        }

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _receive(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            raise SystemExit(f"{self.name} ended with status {process.wait()}; its message is above")
        reply: dict[str, Any] = json.loads(line)
        return reply


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory() as home:
        folder = make_folder(Path(home), options.shape)
        contenders: list[Contender] = []
        try:
            for kind, layout in options.contenders:
                python = options.ct2_python if kind.startswith("ct2") else sys.executable
                if python:
                    contenders.append(Contender(kind, layout or str(options.threads), folder=folder, python=python))
            for contender in contenders:
                print(f"{contender.name}: loaded in {contender.wait_loaded():.1f} s", file=sys.stderr)
            report = measure(contenders, options)
        finally:
            for contender in contenders:
                contender.close()
    print_table(report)
    if options.out:
        Path(options.out).write_text(json.dumps(report, indent=1) + "\n")
    return 0


def measure(contenders: list[Contender], options: argparse.Namespace) -> dict[str, Any]:
    """Every load, every round, every contender in turn; the first round of each load is not counted."""
    results: list[dict[str, Any]] = []
    for load in loads(options):
        for number in range(options.rounds + 1):
            for contender in contenders:
                reply = contender.run(load)
                if number:
                    results.append({"contender": contender.name, "load": load["name"], "round": number} | reply)
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()},
        "load_average": os.getloadavg(),
        "shape": options.shape,
        "rounds": options.rounds,
        "results": results,
    }


def loads(options: argparse.Namespace) -> list[dict[str, Any]]:
    chance = random.Random(1)  # noqa: S311
    all_loads = []
    for batch in map(int, options.batches.split(",")) if options.batches else ():
        prompts = [[chance.randrange(3, VOCAB) for _ in range(128)] for _ in range(batch)]
        name = f"b={batch}" if options.beams == 1 else f"b={batch}, {options.beams} beams"
        load = {"name": name, "prompts": prompts, "lengths": [64] * batch, "slots": batch, "beams": options.beams}
        all_loads.append(load)
    if options.varied:
        prompts = [[chance.randrange(3, VOCAB) for _ in range(128)] for _ in range(64)]
        lengths = [chance.randrange(8, 129) for _ in range(64)]
        all_loads.append({"name": "varied 8-128", "prompts": prompts, "lengths": lengths, "slots": 16, "beams": 1})
    return all_loads


def print_table(report: dict[str, Any]) -> None:
    """Median tokens per second of each contender and load."""
    names = list(dict.fromkeys(result["contender"] for result in report["results"]))
    heads = list(dict.fromkeys(result["load"] for result in report["results"]))
    print(f"Flan-T5-{report['shape']} shapes, 128 tokens in, tokens/s (median of {report['rounds']}; slowest-fastest)")
    for name in names:
        cells = []
        for head in heads:
            mine = [r for r in report["results"] if r["contender"] == name and r["load"] == head]
            speeds = sorted(r["tokens"] / r["seconds"] for r in mine)
            cells.append(f"{head}: {statistics.median(speeds):.1f} ({speeds[0]:.0f}-{speeds[-1]:.0f})")
        print(f"{name:22}" + "  ".join(cells))


def make_folder(home: Path, shape: str) -> Path:
    """A random Flan-T5 with an output layer of its own, and a tokenizer of one word per token for CTranslate2."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=VOCAB,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        **SHAPES[shape],
    )
    model = T5ForConditionalGeneration(config)
    model.lm_head.weight = torch.nn.Parameter(torch.randn(VOCAB, config.d_model) * 0.05)
    folder = home / f"flan-t5-{shape}"
    model.save_pretrained(folder)
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {f"t{number}": number for number in range(3, VOCAB)}
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>")),  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    ).save_pretrained(folder)
    return folder


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def contenders_of(text: str) -> list[tuple[str, str]]:
    """Kinds and their layouts, "" where the threads are to be all there are."""
    contenders = []
    for name in text.split(","):
        kind, colon, layout = name.partition(":")
        if kind not in CONTENDERS:
            raise argparse.ArgumentTypeError(f"no contender is called {kind!r}; there are {', '.join(CONTENDERS)}")
        if colon and not re.fullmatch(r"([1-9]\d*x)?[1-9]\d*", layout):
            raise argparse.ArgumentTypeError(f"{layout!r} is no THREADS and no WORKERSxTHREADS, such as 2 or 2x1")
        contenders.append((kind, layout))
    return contenders


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--batches", default="1,8,16,32", help="static batches: prompts at once, 64 tokens each")
    parser.add_argument("--beams", type=int, default=1, help="of each prompt in a static batch")
    parser.add_argument("--varied", action="store_true", help="also 64 requests of 8 to 128 tokens, 16 at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--contenders",
        type=contenders_of,
        default=",".join(CONTENDERS),
        help=f"KIND, KIND:THREADS or KIND:WORKERSxTHREADS, …; kinds: {', '.join(CONTENDERS)}",
    )
    parser.add_argument(
        "--ct2-python", default="", help="a Python with ctranslate2 and transformers; none leaves it out"
    )
    parser.add_argument("--out", help="file for every single number, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
