"""Loads any local Hugging Face folder: T5 and mT5 into our own model, other models into `transformers`' own.

Knows no HTTP, no scheduler, no network. Nothing in a folder is executed: `trust_remote_code` is never set, and
pickled weights are read by PyTorch's restricted reader, which takes tensors and refuses everything else.
torch and transformers are imported in here, inside the functions: they take seconds, and the port opens first.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.files import find_weights, read_config, read_eos_ids, total_size
from serving.checkpoint.libraries import GPU_FILES, choose_device, choose_dtype, set_libraries
from serving.checkpoint.system_memory import give_back_freed
from serving.checkpoint.tokenizer import FolderTokenizer, load_tokenizer
from serving.checkpoint.transformers_folder import load_other
from serving.engine import memory
from serving.engine.memory import Plan, Room
from serving.traits import OUR_MODELS

if TYPE_CHECKING:
    from serving.products.layouts import Quantize

log = logging.getLogger(__name__)


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
    quantize: Quantize = "none"
    uses_kernels: bool = True
    num_engines: int = 1


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

    device = torch.device(choose_device(torch, wanted.device))
    dtype = choose_dtype(torch, wanted.dtype, device.type)
    numbers = dtype if wanted.quantize == "none" else wanted.quantize
    progress.enter(
        f"loading weights, {total_size(weights)}, as {numbers} for {device.type}",
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
    give_back_freed()
    log.info("weights in memory after %.1f s", time.monotonic() - started)
    name = str(dtype).removeprefix("torch.")
    return LoadedModel(model, device.type, name, read_eos_ids(folder, config), plan)


def runs_on_cpus(folder: Path, *, device: str) -> bool:
    """Whether it is a T5 that will run on CPUs; `device` as in `Wanted`. Raises `CheckpointError`."""
    if read_config(folder).get("model_type") not in OUR_MODELS:
        return False
    if device == "cpu" or (device == "auto" and not any(map(Path.exists, GPU_FILES))):
        return True
    set_libraries()
    import torch

    return choose_device(torch, device) == "cpu"


def _load_t5(
    config: dict[str, Any], weights: list[Path], wanted: Wanted, device: Any, dtype: Any, progress: Progress
) -> tuple[Any, Plan]:
    from serving.checkpoint import t5_folder
    from serving.products.layouts import screen_for
    from serving.t5 import T5Config, UnsupportedModel

    try:
        shape = T5Config.from_json(config)
        layout = t5_folder.choose_layout(
            shape, device=device, dtype=dtype, quantize=wanted.quantize, uses_kernels=wanted.uses_kernels
        )
        plan = memory.plan(
            shape,
            wanted.room,
            available=_available(device),
            weight_bytes=dtype.itemsize if wanted.quantize == "none" else 1,
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
    if wanted.quantize != "none":
        kind = config.get("model_type")
        raise ValueError(f"QUANTIZE={wanted.quantize} is for T5 and mT5; this is {kind!r}. Set QUANTIZE=none")
    use_safetensors = weights[0].suffix == ".safetensors"
    return load_other(folder, config, wanted.room, dtype=dtype, use_safetensors=use_safetensors)


def _available(device: Any) -> int:
    import torch

    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory.available_on_cpu()


def _warn_of_pickle(weights: list[Path]) -> None:
    if weights[0].suffix != ".safetensors":
        log.warning(
            "%s is a pickle: read with weights_only=True, which refuses code. "
            "Prefer safetensors: model.save_pretrained(folder)",
            weights[0].name,
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
