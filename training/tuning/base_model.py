"""The model and tokenizer that a training starts from. Knows no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer

from training.buckets.bucket import BucketFailed
from training.buckets.place import bucket_folder, is_bucket
from training.config.reading import BadConfig
from training.config.task import ModelConfig
from training.scale.sizes import Size, size_in

ROOT = Path(__file__).resolve().parent.parent.parent


def load_tokenizer(base: str | Path, config: ModelConfig) -> Any:
    """base: as `located` gives it. Raises `BadConfig`."""
    return _load(AutoTokenizer, base, config)


def load_model(base: str | Path, config: ModelConfig, *, dtype: torch.dtype = torch.float32) -> Any:
    """base: as `located` gives it. Raises `BadConfig`."""
    return _load(AutoModelForSeq2SeqLM, base, config, dtype=dtype)


def size_here(base: str | Path, config: ModelConfig) -> Size | None:
    """By the model's config alone, without its weights; None of what is no T5. Raises `BadConfig`."""
    return size_in(_load(AutoConfig, base, config).to_dict())


def _load(kind: Any, base: str | Path, config: ModelConfig, **options: Any) -> Any:
    options |= {"local_files_only": True} if isinstance(base, Path) else {"revision": config.revision}
    try:
        return kind.from_pretrained(base, **options)
    except (OSError, ValueError) as error:
        raise BadConfig(f"model.base {config.base!r} cannot be loaded: {error}") from error


def located(config: ModelConfig, scratch: Path) -> str | Path:
    """A folder of this machine, or an id on the hub. Raises `BadConfig`. scratch: for a model in a bucket."""
    base = config.base
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
