"""The checkpoints of a run: which is the latest whole one, and whose they are. Knows no bucket.

A checkpoint is a folder `checkpoint-STEP` that the trainer writes; its `trainer_state.json` is written last.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from training.config.reading import BadConfig
from training.config.task import TaskConfig

STATE = "trainer_state.json"
OWNER = "task.json"
# Settings that change nothing about what comes out: a checkpoint made with others may be gone on from.
INDIFFERENT = {
    "optimizer.log_every",
    "optimizer.checkpoint_every",
    "optimizer.keep",
    "scale.machine_type",
    "scale.replicas",
    "scale.boot_disk_gb",
    "scale.check_memory",
    "scale.spot",
}


def step_of(checkpoint: Path) -> int:
    number = checkpoint.name.removeprefix("checkpoint-")
    return int(number) if number.isdigit() else -1


def state_of(checkpoint: Path) -> dict[str, Any] | None:
    """What the trainer knew; None of a folder that was cut off while it was written."""
    try:
        state = json.loads((checkpoint / STATE).read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def whole(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    found = [path for path in folder.glob("checkpoint-*") if step_of(path) >= 0 and state_of(path) is not None]
    return sorted(found, key=step_of)


def prepare(folder: Path, config: TaskConfig, *, num_processes: int) -> Path | None:
    """Makes the folder ready for a run of this task; returns the checkpoint to go on from, if there is one.

    What was cut off while it was written is removed. Raises `BadConfig` when the checkpoints are of other settings.
    """
    settings = settings_of(config) | {"processes": num_processes}
    folder.mkdir(parents=True, exist_ok=True)
    kept = whole(folder)
    for path in folder.glob("checkpoint-*"):
        if path not in kept:
            shutil.rmtree(path)
    owner = folder / OWNER
    if kept:
        _same(json.loads(owner.read_text()) if owner.exists() else {}, settings, folder)
    owner.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")
    if not kept:
        return None
    _rebase(kept[-1], folder)
    return kept[-1]


def settings_of(config: TaskConfig) -> dict[str, Any]:
    """The settings that a checkpoint depends on, flat."""
    flat = {
        f"{room}.{name}": value
        for room, values in config.model_dump(mode="json").items()
        if isinstance(values, dict)
        for name, value in values.items()
    }
    return {name: value for name, value in flat.items() if name not in INDIFFERENT}


def _same(theirs: dict[str, Any], ours: dict[str, Any], folder: Path) -> None:
    for key in sorted({*theirs, *ours}):
        if theirs.get(key) != ours.get(key):
            raise BadConfig(
                f"the checkpoints in {folder} are of a training with {key} {theirs.get(key)!r}, this one has "
                f"{ours.get(key)!r}; name another folder, or start anew with --fresh"
            )


def _rebase(checkpoint: Path, folder: Path) -> None:
    """The state names its best checkpoint by the path of the machine that wrote it, which may have been another."""
    state = state_of(checkpoint) or {}
    best = state.get("best_model_checkpoint")
    if best:
        here = folder / Path(best).name
        state["best_model_checkpoint"] = str(here) if here.exists() else None
        (checkpoint / STATE).write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
