"""`make bench-training`: full tuning beside LoRA, one process beside two, as a Markdown table for docs/benchmarks.md.

Each is a run of `python -m training fine-tune` on the embedded model, on a task that it does not know yet: to answer a
dialogue with the facts of its summary, one after another. ROUGE is that of the test split; memory is the peak of the
largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.machine import ROOT
from training.corpus.dialogues import take
from training.scoring.rouge import METRICS

SEED = 11
SPLITS = {"train": 1600, "validation": 100, "test": 300}
EPOCHS = 2
TASK = (
    "task=bench", "model.base=models/dialogue-t5-mini", "data.input=dialogue", "data.target=facts",
    "prompt.template=facts: {input}", f"optimizer.epochs={EPOCHS}", "generation.batch=50",
    "generation.max_new_tokens=40", "optimizer.seed=7",
)  # fmt: skip


@dataclass(frozen=True)
class Contender:
    """settings: of the task. processes: each with its share of the 16 records of an update."""

    title: str
    settings: tuple[str, ...]
    processes: int = 1


CONTENDERS = (
    Contender("full, one process", ("optimizer.learning_rate=0.0003",)),
    Contender("full, two processes", ("optimizer.learning_rate=0.0003",), processes=2),
    Contender(
        "LoRA (rank 16, q and v), one process",
        ("optimizer.learning_rate=0.003", "lora.enabled=true"),
    ),
    Contender(
        "LoRA (rank 16, every layer), one process",
        ("optimizer.learning_rate=0.002", "lora.enabled=true", "lora.modules=['q','k','v','o','wi_0','wi_1','wo']"),
    ),
)


def write_records(folder: Path) -> None:
    for split, count in SPLITS.items():
        with (folder / f"{split}.jsonl").open("w") as out:
            for one in take(split, count, SEED):  # type: ignore[arg-type]
                out.write(json.dumps({"dialogue": one.dialogue, "facts": "; ".join(one.facts)}) + "\n")


def run(contender: Contender, data: Path, folder: Path) -> str:
    """A row of the table."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(contender.processes)]
    command = [sys.executable, *(torchrun if contender.processes > 1 else []), "-m", "training", "fine-tune"]
    command += ["--task", "generated-dialogues", "--threads", "1", "--folder", str(folder)]
    settings = (*TASK, f"data.source={data}", f"optimizer.batch={16 // contender.processes}", *contender.settings)
    command += [argument for setting in settings for argument in ("--set", setting)]
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    wall_s = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    scores = " | ".join(f"{metrics['test'][metric]:.2f}" for metric in METRICS)
    return f"| {contender.title} | {scores} | {metrics['seconds']:.0f} s ({wall_s:.0f} s) | {peak_mb:.0f} MB |"


def measured(contender: Contender, data: Path, folder: Path) -> str:
    """In a child of its own, so that the peak is this contender's and not an earlier one's."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        with os.fdopen(reader) as said:
            text = said.read()
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit(text)
        return text
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        try:
            out.write(run(contender, data, folder))
            code = 0
        except SystemExit as problem:
            out.write(str(problem))
            code = 1
    os._exit(code)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-training", description=__doc__.splitlines()[0])
    parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="flanstack-bench-") as name:
        data = Path(name) / "data"
        data.mkdir()
        write_records(data)
        for number, contender in enumerate(CONTENDERS):
            rows.append(measured(contender, data, Path(name) / str(number)))
            print(rows[-1], file=sys.stderr, flush=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"{SPLITS['train']} records, {EPOCHS} epochs, 16 records per update; {machine}\n")
    print("| | " + " | ".join(METRICS) + " | time (with start) | peak of a process |")
    print("|---|" + "---|" * (len(METRICS) + 2))
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
