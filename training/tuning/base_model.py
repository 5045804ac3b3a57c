"""The model and tokenizer that a training starts from. Knows no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from training.buckets.place import BucketFailed, bucket_folder, is_bucket
from training.config.reading import BadConfig
from training.config.task import ModelConfig

ROOT = Path(__file__).resolve().parent.parent.parent


def load_base(config: ModelConfig, scratch: Path, *, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """Model and tokenizer. Raises `BadConfig`. scratch: folder for a model that lies in a bucket."""
    where = _where(config.base, scratch)
    more: dict[str, Any] = {"local_files_only": True} if isinstance(where, Path) else {"revision": config.revision}
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, **more)
        model = AutoModelForSeq2SeqLM.from_pretrained(where, dtype=dtype, **more)
    except (OSError, ValueError) as error:
        raise BadConfig(f"model.base {config.base!r} cannot be loaded: {error}") from error
    return model, tokenizer


def _where(base: str, scratch: Path) -> str | Path:
    """A folder of this machine, or an id on the hub."""
    if is_bucket(base):
        target = scratch / "base"
        if not (target / "config.json").exists():
            try:
                num_files = bucket_folder(base).get_all(target)
            except BucketFailed as error:
                raise BadConfig(f"model.base: {error}") from error
            if not num_files:
                raise BadConfig(f"model.base {base!r} holds no file")
        return target
    for folder in (Path(base), ROOT / base):
        if (folder / "config.json").is_file():
            return folder
    if Path(base).is_absolute() or base.startswith((".", "~")) or base.count("/") > 1:
        raise BadConfig(f"model.base {base!r} is no model folder: it has no config.json")
    return base
