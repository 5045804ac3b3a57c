"""The files of a Hugging Face folder: which there are, and what is wrong with them. Knows JSON; loads no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.transformers_folder import class_name
from serving.traits import OUR_MODELS

SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def find_weights(folder: Path) -> list[Path]:
    """The weight files to load, after a look at everything that can be wrong with a folder without loading it."""
    if not folder.is_dir():
        raise CheckpointError(f"MODEL_DIR {str(folder)!r} is not a folder (looked in {Path.cwd()})")
    read_config(folder)
    for index_or_file in (*SAFETENSORS, *PICKLES):
        if (folder / index_or_file).is_file():
            return _shards(folder / index_or_file)
    found = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
    raise CheckpointError(
        f"{folder} has no weights: expected {' or '.join((*SAFETENSORS, *PICKLES))}, found {found}. "
        "Other formats (TensorFlow, Flax, plain pickles) are not loaded; save the model with save_pretrained()"
    )


def read_config(folder: Path) -> dict[str, Any]:
    """config.json, of a kind that can be served."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        raise CheckpointError(f"{folder} has no config.json: it is not a Hugging Face model folder") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from None
    kind = config.get("model_type") if isinstance(config, dict) else type(config).__name__
    if kind in OUR_MODELS or (isinstance(config, dict) and class_name(config)):
        return dict(config)
    raise CheckpointError(
        f"{path} is of model type {kind!r} with architectures {config.get('architectures') if kind else None!r}; this "
        "server runs T5 and mT5, and models for conditional generation or causal language modelling of transformers"
    )


def _shards(path: Path) -> list[Path]:
    if path.suffix != ".json":
        return [path]
    try:
        names = sorted(set(json.loads(path.read_text())["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{path} is not an index of weight files: {error!r}") from None
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        raise CheckpointError(f"{path} names {len(names)} files; missing: {', '.join(missing)}")
    return [path.parent / name for name in names]


def read_eos_ids(folder: Path, config: Mapping[str, Any]) -> frozenset[int]:
    """The tokens that end an answer: generation_config.json's, else config.json's, as transformers takes them."""
    eos = config.get("eos_token_id", 1)
    path = folder / "generation_config.json"
    if path.is_file():
        try:
            eos = json.loads(path.read_text()).get("eos_token_id", eos)
        except (ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} is not a table in JSON: {error}") from None
    return frozenset(eos if isinstance(eos, list) else [] if eos is None else [eos])


def total_size(files: list[Path]) -> str:
    num_bytes = sum(f.stat().st_size for f in files)
    return f"{num_bytes / 1e6:.1f} MB in {len(files)} file{'s' if len(files) > 1 else ''}"
