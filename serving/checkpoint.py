"""Loads any local Hugging Face sequence-to-sequence folder. Knows no HTTP, no scheduler, no network.

Nothing in a folder is executed: `trust_remote_code` is never set, and pickled weights are read by PyTorch's
restricted reader, which takes tensors and refuses everything else.
torch and transformers are imported in here, inside the functions: they take seconds, and the port opens first.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class CheckpointError(Exception):
    """The folder cannot be served; the message says what is wrong with it and what would be right."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded folder."""

    model: Any
    tokenizer: FolderTokenizer
    device: str
    dtype: str
    num_bytes: int


class FolderTokenizer:
    """The folder's own tokenizer. Uses the Rust tokenizer directly: the wrapper around it is not thread-safe."""

    def __init__(self, wrapper: Any) -> None:
        self._backend = wrapper.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._backend.encode(text).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._backend.decode(list(ids), skip_special_tokens=True)
        return text


def load(folder: Path, *, device: str, dtype: str, on_phase: Callable[[str], None]) -> Checkpoint:
    """Loads `folder`; raises `CheckpointError`. `on_phase` hears what begins.

    device: auto, cpu or cuda. dtype: auto, float32, bfloat16 or float16.
    """
    weights = find_weights(folder)
    on_phase("importing PyTorch")
    go_offline()
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    place = _device(torch, device)
    number = _dtype(torch, dtype, place)
    on_phase("loading the tokenizer")
    tokenizer = _load_tokenizer(transformers, folder)
    on_phase(f"loading weights, {_size(weights)}, as {number} for {place}")
    started = time.monotonic()
    model = _load_model(transformers, folder, number, weights)
    num_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    log.info("%s of weights in memory after %.1f s", _amount(num_bytes), time.monotonic() - started)
    if place == "cuda":
        on_phase("moving the weights to the GPU")
        check_fits(num_bytes, torch.cuda.mem_get_info()[0], dtype=str(number))
        model = model.to(place)
    return Checkpoint(model.eval(), tokenizer, place, str(number).removeprefix("torch."), num_bytes)


def go_offline() -> None:
    """Keeps the Hugging Face libraries off the network. Has to come before their import."""
    os.environ.update(OFFLINE)


def find_weights(folder: Path) -> list[Path]:
    """The weight files to load, after a look at everything that can be wrong with a folder without loading it."""
    if not folder.is_dir():
        raise CheckpointError(f"MODEL_DIR {str(folder)!r} is not a folder (looked in {Path.cwd()})")
    _check_config(folder)
    for index_or_file in (*SAFETENSORS, *PICKLES):
        if (folder / index_or_file).is_file():
            return _shards(folder / index_or_file)
    found = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
    raise CheckpointError(
        f"{folder} has no weights: expected {' or '.join((*SAFETENSORS, *PICKLES))}, found {found}. "
        "Other formats (TensorFlow, Flax, plain pickles) are not loaded; save the model with save_pretrained()"
    )


def check_fits(num_bytes: int, num_free: int, *, dtype: str) -> None:
    """Refuses weights that would leave no room for the caches on the GPU."""
    if num_bytes > 0.95 * num_free:
        raise CheckpointError(
            f"the weights need {_amount(num_bytes)} as {dtype} and the GPU has {_amount(num_free)} free; "
            "set DTYPE=bfloat16, or take a larger GPU"
        )


def _check_config(folder: Path) -> None:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        raise CheckpointError(f"{folder} has no config.json: it is not a Hugging Face model folder") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from None
    if not isinstance(config, dict) or not config.get("is_encoder_decoder", config.get("model_type") in ("t5", "mt5")):
        kind = config.get("model_type") if isinstance(config, dict) else type(config).__name__
        raise CheckpointError(
            f"{path} is of model type {kind!r}; this server runs sequence-to-sequence models (t5, mt5)"
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


def _load_tokenizer(transformers: Any, folder: Path) -> FolderTokenizer:
    if not (folder / "tokenizer.json").is_file():
        raise CheckpointError(
            f"{folder} has no tokenizer.json; make it with AutoTokenizer.from_pretrained(…).save_pretrained(…)"
        )
    try:
        wrapper = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return FolderTokenizer(wrapper)
    except Exception as error:
        raise CheckpointError(f"the tokenizer in {folder} does not load: {error}") from error


def _load_model(transformers: Any, folder: Path, dtype: Any, weights: list[Path]) -> Any:
    is_pickled = weights[0].suffix != ".safetensors"
    if is_pickled:
        log.warning(
            "%s is a pickle: read with weights_only=True, which refuses code. "
            "Prefer safetensors: model.save_pretrained(folder)",
            weights[0].name,
        )
    try:
        model, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            use_safetensors=not is_pickled,
            output_loading_info=True,
        )
    # the libraries below raise OSError, ValueError, RuntimeError, UnpicklingError, SafetensorError …
    except Exception as error:
        raise CheckpointError(f"the weights in {folder} do not load: {_first_line(error)}") from error
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(
            f"{len(missing)} tensors that config.json asks for are not in the weights, such as {missing[0]}; "
            "they would be random numbers"
        )
    return model


def _device(torch: Any, wanted: str) -> str:
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise CheckpointError("DEVICE is cuda but PyTorch sees no GPU; set DEVICE=cpu, or check the driver")
    return "cuda" if has_gpu and wanted != "cpu" else "cpu"


def _dtype(torch: Any, wanted: str, device: str) -> Any:
    if wanted == "auto":
        return torch.bfloat16 if device == "cuda" else torch.float32
    return getattr(torch, wanted)


def _size(files: list[Path]) -> str:
    return f"{_amount(sum(f.stat().st_size for f in files))} in {len(files)} file{'s' if len(files) > 1 else ''}"


def _amount(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
