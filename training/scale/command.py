"""`python -m training launch`, `memory` and `worker-pool`: their arguments and their words."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence

from training.config.reading import BadConfig, read, task_names
from training.scale.launch import command
from training.scale.machines import MACHINES
from training.scale.memory import GIB, Verdict, verdict
from training.scale.sizes import SIZES
from training.scale.worker_pool import scheduling, worker_pools

METHODS = {
    "full": {"lora": {"enabled": False}, "scale": {"strategy": "ddp"}},
    "full, recomputing": {
        "lora": {"enabled": False},
        "scale": {"strategy": "ddp"},
        "optimizer": {"gradient_checkpointing": True},
    },
    "LoRA, recomputing": {
        "lora": {"enabled": True},
        "scale": {"strategy": "ddp"},
        "optimizer": {"gradient_checkpointing": True},
    },
    "ZeRO-3, recomputing": {
        "lora": {"enabled": False},
        "scale": {"strategy": "zero3"},
        "optimizer": {"gradient_checkpointing": True},
    },
}


def add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", help=f"{', '.join(task_names())}, or a TOML file")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the task")


def add_launch(parser: argparse.ArgumentParser) -> None:
    """What `fine-tune` takes is added by whoever knows it."""
    parser.add_argument("--processes", type=int, help="on this machine (default: one for each GPU, or one)")


def launch(arguments: argparse.Namespace, passed_on: Sequence[str]) -> int:
    """Becomes the launcher of the processes. passed_on: what each of them is told."""
    try:
        config = read(arguments.task, environment=os.environ, changes=arguments.set)
    except BadConfig as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    processes = arguments.processes
    if processes is None:
        import torch

        processes = max(1, torch.cuda.device_count())
    is_alone = processes == 1 and config.scale.strategy != "zero3"
    line = command(passed_on, processes=processes, environment=os.environ, is_alone=is_alone)
    return os.execv(line[0], line)  # noqa: S606 (the process becomes torchrun: signals go to it)


def add_worker_pool(parser: argparse.ArgumentParser) -> None:
    add_task(parser)
    parser.add_argument("--image", required=True, help="the training image, by digest")


def worker_pool(arguments: argparse.Namespace) -> int:
    """The worker pools of the Vertex AI job for a task, as JSON; refused when it cannot fit."""
    try:
        config = read(arguments.task, environment=os.environ, changes=arguments.set)
        pools = worker_pools(config, image=arguments.image)
    except BadConfig as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"workerPoolSpecs": pools, "scheduling": scheduling(config)}, indent=1))
    return 0


def memory(arguments: argparse.Namespace) -> int:
    """Memory and time of every Flan-T5 on every machine type, computed from a task's settings."""
    try:
        tables = [_table(arguments, method, changes) for method, changes in METHODS.items()]
    except BadConfig as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    print("GiB on each GPU, and minutes for one epoch of 14,732 records; — where it does not fit.\n")
    print("\n\n".join(tables))
    return 0


def _table(arguments: argparse.Namespace, method: str, changes: Mapping[str, object]) -> str:
    environment = {"TRAINING_CONFIG": json.dumps(changes)}
    config = read(arguments.task or "summarize-dialogues", environment=environment, changes=arguments.set)
    names = [base.removeprefix("google/flan-t5-") for base in SIZES]
    rows = [f"**{method}**, {config.optimizer.batch} records per GPU", ""]
    rows += [f"| machine | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for machine_type in MACHINES:
        cells = (_cell(verdict(config, base=base, machine_type=machine_type)) for base in SIZES)
        rows.append(f"| {machine_type} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(found: Verdict) -> str:
    gib = found.need.total / GIB
    return f"— ({gib:.0f})" if found.hours is None else f"{gib:.1f}, {found.hours * 60:.1f} min"
