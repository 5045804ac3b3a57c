"""Makes saved weights the folder that `serving` loads, and sends it where it shall be. Knows no training loop."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from training.buckets.place import bucket_folder, is_bucket
from training.folder.metadata import write_template

METRICS = "metrics.json"
CARD = "README.md"
# What the trainer leaves beside a model: its settings as a pickle, which nobody should have to load.
NOT_THE_MODELS = "training_args.bin"


def complete_folder(folder: Path, *, template: str, card: str, metrics: dict[str, Any]) -> None:
    """Adds what the server and people need to the weights, config and tokenizer that are there."""
    (folder / NOT_THE_MODELS).unlink(missing_ok=True)
    write_template(folder, template)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # written for the owner alone, but an image's process is somebody else
    (folder / CARD).write_text(card)
    (folder / METRICS).write_text(json.dumps(metrics, indent=1) + "\n")


def deliver(folder: Path, place: str) -> None:
    """Brings the folder to its place: another folder, gs:// or s3://. metrics.json comes last: then all is there."""
    if is_bucket(place):
        target = bucket_folder(place)
        for path in _in_order(folder):
            target.put(path, str(path.relative_to(folder)))
        return
    if Path(place).resolve() == folder.resolve():
        return
    Path(place).mkdir(parents=True, exist_ok=True)
    for stale in Path(place).glob("*.safetensors*"):
        if not (folder / stale.name).exists():
            stale.unlink()  # shards of an earlier, larger model
    for path in _in_order(folder):
        target_path = Path(place) / path.relative_to(folder)
        target_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target_path)


def _in_order(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: (path.name == METRICS, str(path)))
