"""Builds a `T5` from the files of a Hugging Face folder. Knows T5's tensor names; knows no requests, no scheduler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from serving.checkpoint.system_memory import give_back_freed
from serving.checkpoint.tensors import TensorFiles
from serving.products import panels
from serving.products.layouts import Layout, Quantize, lay_out, lay_out_wide, screen_for
from serving.products.linear import Linear
from serving.products.torch_cpu import PackedLinear
from serving.t5 import T5, T5Config, Weights

# read and converted before what that has freed goes back to the system, which takes milliseconds
BYTES_BETWEEN = 16 << 20


class Lacking(ValueError):
    """The weights do not hold what config.json asks for."""


def load_t5(
    config: T5Config,
    files: list[Path],
    *,
    dtype: torch.dtype,
    device: torch.device,
    layout: Layout,
    on_bytes: Callable[[int], None] = lambda num_bytes: None,
) -> T5:
    """Raises ValueError: `Lacking`, or what is wrong with a file. `on_bytes` hears of each tensor's first reading."""
    tensors = TensorFiles(files)
    unread = set(tensors.names)

    def get(name: str) -> torch.Tensor:
        tensor = tensors.get(name)
        if name in unread:  # a tied output layer is read again
            unread.discard(name)
            on_bytes(tensor.nbytes)
        return tensor

    num_released = 0

    def release(name: str) -> None:
        nonlocal num_released
        tensors.release(name)
        before, num_released = num_released, num_released + tensors.get(name).nbytes
        if before // BYTES_BETWEEN != num_released // BYTES_BETWEEN:
            give_back_freed()

    return build_t5(config, get, tensors.has, release, dtype=dtype, device=device, layout=layout)


def build_t5(
    config: T5Config,
    get: Callable[[str], torch.Tensor],
    has: Callable[[str], bool],
    release: Callable[[str], None] = lambda name: None,
    *,
    dtype: torch.dtype,
    device: torch.device,
    layout: Layout,
) -> T5:
    """As `load_t5`, from any source of tensors. Each is taken, converted and laid out before the next is touched.

    release: called for tensors that were copied, before the next is taken.
    """

    def checked(name: str) -> torch.Tensor:
        if not has(name):
            raise Lacking(f"{name}, which config.json asks for, is not in the weights; it would be random numbers")
        tensor: torch.Tensor = get(name)
        if tuple(tensor.shape) != (wanted := expected_shape(config, name)):
            raise Lacking(f"{name} has shape {list(tensor.shape)} and config.json asks for {list(wanted)}")
        return tensor

    def own(name: str) -> torch.Tensor:
        tensor = checked(name)
        # few, and their rounding would be felt everywhere: float32 whatever the weights are
        is_small = tensor.dim() == 1 or "relative_attention_bias" in name
        copy = tensor.to(device=device, dtype=torch.float32 if is_small else dtype, copy=True)
        release(name)
        return copy

    def linear(names: list[str]) -> Linear:
        given = [checked(name) for name in names]
        parts = [tensor.to(device=device, dtype=dtype) for tensor in given]
        weight_OK = parts[0] if len(parts) == 1 else torch.cat(parts)
        is_wide = dtype == torch.float16 and names[0].endswith("wo.weight")
        product = lay_out_wide(weight_OK, layout) if is_wide else lay_out(weight_OK, layout)
        if layout != "plain" or weight_OK is not given[0]:
            for name in names:
                release(name)
        return product

    with torch.inference_mode():
        weights = Weights(
            get=own,
            has=has,
            linear=linear,
            dtype=dtype,
            cache_dtype=cache_dtype(layout, dtype),
            screen=screen_for(layout),
        )
        return T5(config, weights)


def choose_layout(
    config: T5Config, *, device: torch.device, dtype: torch.dtype, quantize: Quantize, uses_kernels: bool = True
) -> Layout:
    """How weights lie in memory: the fastest layout that computes what was asked for.

    uses_kernels: whether our own may be taken, where this machine has them.
    """
    if quantize == "int8-weights":
        return "int8-weights"
    is_int8 = quantize == "int8"
    is_plain_cpu = device.type == "cpu" and dtype == torch.float32
    if is_plain_cpu and uses_kernels:
        widths = (config.d_model, config.d_kv, config.d_ff)
        if panels.can_run(widths=widths, activation=config.activation):
            return "int8-panels" if is_int8 else "panels"
    if is_int8:
        return "int8" if is_plain_cpu else "int8-dynamic"
    return "packed" if is_plain_cpu and PackedLinear.is_available() else "plain"


def cache_dtype(layout: Layout, dtype: torch.dtype) -> torch.dtype:
    """Of keys and values. float16 halves what every step reads; next to int8 weights its rounding is small."""
    return torch.float16 if layout == "int8-panels" else dtype


def expected_shape(config: T5Config, name: str) -> tuple[int, ...]:
    """The shape that `config` gives the tensor of this name."""
    part = name.removesuffix(".weight").rpartition(".")[2]
    if "layer_norm" in part:
        return (config.d_model,)
    if part == "relative_attention_bias":
        return (config.num_buckets, config.num_heads)
    if part in ("q", "k", "v"):
        return (config.d_attention, config.d_model)
    if part == "o":
        return (config.d_model, config.d_attention)
    if part in ("wi", "wi_0", "wi_1"):
        return (config.d_ff, config.d_model)
    if part == "wo":
        return (config.d_model, config.d_ff)
    return (config.vocab_size, config.d_model)
