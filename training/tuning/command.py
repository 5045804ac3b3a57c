"""`python -m training fine-tune`: its arguments, its words, its exit codes. Knows no training."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from training.config.places import Places
from training.config.reading import VARIABLE, BadConfig, read, task_names

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS = ROOT / ".flanstack" / "training"
BAD_CONFIG = 2


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", help=f"{', '.join(task_names())}, or a TOML file (default generated-dialogues)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help=f"a setting, after those of {VARIABLE}"
    )
    parser.add_argument("--out", help="where the model folder goes: a path, gs://… or s3://… (default $AIP_MODEL_DIR)")
    # not --run: torchrun, which passes its arguments on, takes that for an abbreviation of its own
    parser.add_argument(
        "--folder", type=Path, help="folder of this machine for what is on its way (default .flanstack/training/TASK)"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoints of an earlier run")
    parser.add_argument("--threads", type=int, default=0, help="torch threads (default: as torch chooses)")


def passed_on(arguments: argparse.Namespace) -> list[str]:
    """The same arguments as they are written on a command line, for the processes of a launch."""
    line = ["--fresh"] if arguments.fresh else []
    for name in ("task", "out", "folder", "threads"):
        value = getattr(arguments, name)
        line += [f"--{name}={value}"] if value else []
    return line + [f"--set={change}" for change in arguments.set]


def fine_tune(arguments: argparse.Namespace) -> int:
    """Tunes a model for a task: data, training, ROUGE, model folder."""
    try:
        config = read(arguments.task, environment=os.environ, changes=arguments.set)
    except BadConfig as error:
        return _refused(error)
    places = Places.of(arguments.folder or RUNS / config.task, environment=os.environ, model=arguments.out)
    from training.tuning.quiet import quiet

    quiet()
    import torch

    from training.buckets.bucket import BucketFailed
    from training.tuning.interruption import Interrupted, StopRequest
    from training.tuning.run import fine_tune as tune

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    stop = StopRequest()
    stop.listen()
    is_first = int(os.environ.get("RANK", "0")) == 0
    try:
        result = tune(config, places, stop=stop, fresh=arguments.fresh, tell=_say if is_first else _say_nothing)
    except BadConfig as error:
        return _refused(error)
    except BucketFailed as error:
        print(error, file=sys.stderr)
        return 1
    except Interrupted as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        return stopped.code
    if is_first:
        _report(result.metrics, result.model)
    return 0


def _report(metrics: dict[str, Any], model: str) -> None:
    names = ("rouge1", "rouge2", "rougeL", "rougeLsum", "gen_len")
    print(f"{'':12}" + "".join(f"{name:>11}" for name in names))
    for split in ("validation", "test"):
        figures = metrics[split]
        print(f"{split:12}" + "".join(f"{figures[name]:11.2f}" for name in names))
    print(f"{model}, after {metrics['seconds']} s")


def _refused(error: BadConfig) -> int:
    print(f"training: {error}", file=sys.stderr)
    return BAD_CONFIG


def _say(text: str) -> None:
    print(text, flush=True)


def _say_nothing(text: str) -> None:
    pass
