"""Loads any local Hugging Face folder: T5 and mT5 into our own model, other models into `transformers`' own.

Knows no HTTP, no scheduler, no network. Nothing in a folder is executed: `trust_remote_code` is never set, and
pickled weights are read by PyTorch's restricted reader, which takes tensors and refuses everything else.
torch and transformers are imported in here, inside the functions: they take seconds, and the port opens first.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from serving.checkpoint.transformers_folder import class_name, load_other
from serving.engine import memory
from serving.engine.memory import Plan, Room
from serving.traits import OUR_MODELS

log = logging.getLogger(__name__)

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
# OpenMP's threads spin while they wait for each other: with one core busy elsewhere a step takes 20 to 60 times
# longer than with threads that sleep (docs/decisions/0012-one-thread-workers-that-sleep.md has the figures)
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")
# without any of these PyTorch, whose import takes seconds, need not be asked for a GPU
GPU_FILES = (Path("/dev/nvidia0"), Path("/dev/nvidiactl"), Path("/dev/dxg"))
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class CheckpointError(Exception):
    """The folder cannot be served; the message says what is wrong with it and what would be right."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """`model` is a `T5`, or a model of transformers when `plan` is None."""

    model: Any
    device: str
    dtype: str
    eos_ids: frozenset[int]
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Checkpoint(LoadedModel):
    """A loaded folder."""

    tokenizer: FolderTokenizer


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to load. device: auto, cpu or cuda. dtype: auto, float32, bfloat16 or float16. uses_kernels: our own, on
    a CPU that can run them. `room` is planned for, and so many engines over the same weights."""

    room: Room
    device: str = "auto"
    dtype: str = "auto"
    is_int8: bool = False
    uses_kernels: bool = True
    num_engines: int = 1


class FolderTokenizer:
    """The folder's own tokenizer. Uses the Rust tokenizer directly: the wrapper around it is not thread-safe."""

    def __init__(self, wrapper: Any) -> None:
        self._backend = wrapper.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        self.open_ids = _open_ids(self._backend)
        self.rewrites = _rewrites(self._backend)
        self.num_tokens: int = self._backend.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._backend.encode(text).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._backend.decode(list(ids), skip_special_tokens=True)
        return text

    def piece(self, id_: int) -> str:
        token: str | None = self._backend.id_to_token(id_)
        if token is None:  # rows of the output layer beyond the vocabulary: padding of its width
            return ""
        text: str = self._backend.decode([id_], skip_special_tokens=False)
        # a decoder drops the space in front of a text's first word, and here every token is the first
        return f" {text.lstrip()}" if token.startswith("▁") and not text.startswith(" ") else text


def _open_ids(backend: Any) -> frozenset[int]:
    """Byte tokens, as mT5 has them, and the special tokens that may stand between them."""
    pieces: dict[str, int] = backend.get_vocab()
    byte_ids = {number for piece, number in pieces.items() if BYTE_PIECE.fullmatch(piece)}
    special_ids = {number for number, token in backend.get_added_tokens_decoder().items() if token.special}
    return frozenset(byte_ids | special_ids) if byte_ids else frozenset()


def _rewrites(backend: Any) -> tuple[str, ...]:
    """What the tokenizer's decoder replaces in whole text, such as a stand-in for line breaks."""
    decoder = json.loads(backend.to_str())["decoder"] or {}
    steps = decoder.get("decoders", [decoder])
    return tuple(step["pattern"]["String"] for step in steps if "String" in step.get("pattern", {}))


class Progress(Protocol):
    """Hears how far the loading is."""

    def enter(self, phase: str, *, total_bytes: int | None = None) -> None: ...

    def advance(self, num_bytes: int) -> None: ...


def load(folder: Path, wanted: Wanted, *, progress: Progress) -> Checkpoint:
    """The model and its tokenizer; raises `CheckpointError`."""
    find_weights(folder)
    read_config(folder)
    progress.enter("loading the tokenizer")
    tokenizer = load_tokenizer(folder)
    loaded = load_model(folder, wanted, progress=progress)
    return Checkpoint(loaded.model, loaded.device, loaded.dtype, loaded.eos_ids, loaded.plan, tokenizer)


def load_model(folder: Path, wanted: Wanted, *, progress: Progress) -> LoadedModel:
    """Raises `CheckpointError`. A T5 is loaded without transformers, whose import takes seconds."""
    weights = find_weights(folder)
    config = read_config(folder)
    progress.enter("importing PyTorch")
    set_libraries()
    import torch

    device = torch.device(_device(torch, wanted.device))
    dtype = _dtype(torch, wanted.dtype, device.type)
    progress.enter(
        f"loading weights, {_size(weights)}, as {'int8' if wanted.is_int8 else dtype} for {device.type}",
        total_bytes=sum(file.stat().st_size for file in weights),
    )
    started = time.monotonic()
    _warn_of_pickle(weights)
    try:
        if config.get("model_type") in OUR_MODELS:
            model, plan = _load_t5(config, weights, wanted, device, dtype, progress)
        else:
            model, plan = _load_with_transformers(folder, config, weights, wanted, dtype).to(device), None
    except CheckpointError:
        raise
    # the libraries below raise OSError, ValueError, RuntimeError, UnpicklingError, SafetensorError …
    except Exception as error:
        raise CheckpointError(f"the weights in {folder} do not load: {_first_line(error)}") from error
    log.info("weights in memory after %.1f s", time.monotonic() - started)
    name = str(dtype).removeprefix("torch.")
    return LoadedModel(model, device.type, name, _eos_ids(folder, config), plan)


def runs_on_cpus(folder: Path, *, device: str) -> bool:
    """Whether it is a T5 that will run on CPUs; `device` as in `Wanted`. Raises `CheckpointError`."""
    if read_config(folder).get("model_type") not in OUR_MODELS:
        return False
    if device == "cpu" or (device == "auto" and not any(map(Path.exists, GPU_FILES))):
        return True
    set_libraries()
    import torch

    return _device(torch, device) == "cpu"


def set_libraries() -> None:
    """Keeps the Hugging Face libraries off the network, and OpenMP's threads off busy cores. Before their import."""
    os.environ.update(OFFLINE)
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)


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


def load_tokenizer(folder: Path) -> FolderTokenizer:
    """Raises `CheckpointError`."""
    set_libraries()
    import transformers

    transformers.utils.logging.disable_progress_bar()
    if not (folder / "tokenizer.json").is_file():
        raise CheckpointError(
            f"{folder} has no tokenizer.json; make it with AutoTokenizer.from_pretrained(…).save_pretrained(…)"
        )
    try:
        wrapper = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return FolderTokenizer(wrapper)
    except Exception as error:
        raise CheckpointError(f"the tokenizer in {folder} does not load: {error}") from error


def _load_t5(
    config: dict[str, Any], weights: list[Path], wanted: Wanted, device: Any, dtype: Any, progress: Progress
) -> tuple[Any, Plan]:
    from serving.checkpoint import t5_folder
    from serving.products.layouts import screen_for
    from serving.t5 import T5Config, UnsupportedModel

    try:
        shape = T5Config.from_json(config)
        layout = t5_folder.choose_layout(
            shape, device=device, dtype=dtype, is_int8=wanted.is_int8, uses_kernels=wanted.uses_kernels
        )
        plan = memory.plan(
            shape,
            wanted.room,
            available=_available(device),
            weight_bytes=1 if wanted.is_int8 else dtype.itemsize,
            cache_bytes=t5_folder.cache_dtype(layout, dtype).itemsize,
            # beside the embedding: int8, and float32 to score what int8 leaves in the race
            table_bytes=dtype.itemsize + (5 if screen_for(layout) else 0),
            num_engines=wanted.num_engines,
        )
    except KeyError as error:
        raise CheckpointError(f"config.json has no {error.args[0]}, and a T5 has one") from None
    except (UnsupportedModel, memory.DoesNotFit) as error:
        raise CheckpointError(str(error)) from None
    for line in plan.lines():
        log.info(line)
    model = t5_folder.load_t5(shape, weights, dtype=dtype, device=device, layout=layout, on_bytes=progress.advance)
    return model, plan


def _load_with_transformers(
    folder: Path, config: dict[str, Any], weights: list[Path], wanted: Wanted, dtype: Any
) -> Any:
    if wanted.is_int8:
        raise ValueError(f"QUANTIZE=int8 is for T5 and mT5; this is {config.get('model_type')!r}. Set QUANTIZE=none")
    use_safetensors = weights[0].suffix == ".safetensors"
    return load_other(folder, config, wanted.room, dtype=dtype, use_safetensors=use_safetensors)


def _available(device: Any) -> int:
    import torch

    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory.available_on_cpu()


def _eos_ids(folder: Path, config: Mapping[str, Any]) -> frozenset[int]:
    """The tokens that end an answer: generation_config.json's, else config.json's, as transformers takes them."""
    eos = config.get("eos_token_id", 1)
    path = folder / "generation_config.json"
    if path.is_file():
        try:
            eos = json.loads(path.read_text()).get("eos_token_id", eos)
        except (ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} is not a table in JSON: {error}") from None
    return frozenset(eos if isinstance(eos, list) else [] if eos is None else [eos])


def _warn_of_pickle(weights: list[Path]) -> None:
    if weights[0].suffix != ".safetensors":
        log.warning(
            "%s is a pickle: read with weights_only=True, which refuses code. "
            "Prefer safetensors: model.save_pretrained(folder)",
            weights[0].name,
        )


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
    num_bytes = sum(f.stat().st_size for f in files)
    return f"{num_bytes / 1e6:.1f} MB in {len(files)} file{'s' if len(files) > 1 else ''}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
