"""The compiled kernels as Python calls them: structures of pointers, and the functions over them.

Knows addresses and sizes; knows no model. The structures mirror those of `src/`, field by field. Who fills one keeps
what it points to alive.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import threading
from ctypes import POINTER, c_float, c_int64, c_void_p
from pathlib import Path

from serving.native.build import NoLibrary, find_or_build

PANEL = 16
ACTIVATIONS = {"relu": 0, "gelu": 1, "gelu_new": 2, "silu": 3}

log = logging.getLogger(__name__)


class LinearView(ctypes.Structure):
    """linear.h"""

    _fields_ = (
        ("panels", c_void_p),
        ("scales", c_void_p),
        ("sums", c_void_p),
        ("num_inputs", c_int64),
        ("num_panels", c_int64),
    )


class ScreenView(ctypes.Structure):
    """output.cpp"""

    _fields_ = (
        ("screen", LinearView),
        ("weight", c_void_p),
        ("num_outputs", c_int64),
        ("most_lost", c_float),
        ("most_kept", c_float),
        ("slack", c_float),
    )


class Sizes(ctypes.Structure):
    """block.h"""

    _fields_ = (
        *((name, c_int64) for name in ("d_model", "num_heads", "width", "d_ff", "is_gated", "activation")),
        ("epsilon", c_float),
    )


class FeedForwardView(ctypes.Structure):
    """block.h"""

    _fields_ = (("norm", c_void_p), ("up", LinearView), ("down", LinearView))


class DecoderLayerView(ctypes.Structure):
    """decoder.cpp"""

    _fields_ = (
        *((name, c_void_p) for name in ("self_norm", "cross_norm")),
        *((name, LinearView) for name in ("qkv", "self_out", "cross_q", "cross_out")),
        ("feed_forward", FeedForwardView),
        *((name, c_void_p) for name in ("self_keys", "self_values", "cross_keys", "cross_values")),
    )


class DecoderView(ctypes.Structure):
    """decoder.cpp"""

    _fields_ = (
        ("sizes", Sizes),
        ("layers", POINTER(DecoderLayerView)),
        ("num_layers", c_int64),
        *((name, c_void_p) for name in ("embedding", "final_norm", "bias")),
        *((name, c_int64) for name in ("max_source", "max_target", "holds_halves")),
    )


class StepView(ctypes.Structure):
    """decoder.cpp"""

    _fields_ = (
        *((name, c_void_p) for name in ("tokens", "positions", "num_sources")),
        ("num_rows", c_int64),
        ("num_threads", c_int64),
        ("states", c_void_p),
        ("scratch", c_void_p),
    )


class EncoderLayerView(ctypes.Structure):
    """encoder.cpp"""

    _fields_ = (
        ("sizes", Sizes),
        ("norm", c_void_p),
        ("qkv", LinearView),
        ("out", LinearView),
        ("feed_forward", FeedForwardView),
    )


class PromptsView(ctypes.Structure):
    """encoder.cpp"""

    _fields_ = (
        ("x", c_void_p),
        ("lengths", c_void_p),
        *((name, c_int64) for name in ("num_prompts", "num_tokens", "longest")),
        ("bias", c_void_p),
        ("room", c_int64),
        ("num_threads", c_int64),
        ("scratch", c_void_p),
    )


_ARGUMENTS = {
    "t5_step_scratch": (POINTER(DecoderView), c_int64, c_int64),
    "t5_step": (POINTER(DecoderView), POINTER(StepView)),
    "t5_encoder_scratch": (POINTER(EncoderLayerView), c_int64, c_int64, c_int64),
    "t5_encode": (POINTER(EncoderLayerView), POINTER(PromptsView)),
    "t5_linear": (POINTER(LinearView), c_void_p, c_int64, *(c_void_p,) * 3, c_int64),
    "t5_best": (POINTER(ScreenView), c_void_p, c_int64, *(c_void_p,) * 5, c_int64),
}


_own_threads = threading.local()


def set_num_threads(count: int) -> None:
    """Of what the calling thread computes from now on, as in PyTorch."""
    _own_threads.count = count


def num_threads() -> int:
    """What `set_num_threads` said last on this thread; 1 before."""
    return int(getattr(_own_threads, "count", 1))


@functools.cache
def kernels() -> ctypes.CDLL | None:
    """None where they cannot be had: PyTorch's operations compute the same. The log says which it is, once."""
    try:
        path = find_or_build()
        library = open_library(path)
    except (NoLibrary, OSError) as error:
        log.warning("kernels: PyTorch's, which are slower on a CPU: %s", error)
        return None
    log.info("kernels: %s", path.name)
    return library


def open_library(path: Path) -> ctypes.CDLL:
    """Raises OSError for a file that is no library of this machine."""
    library = ctypes.CDLL(str(path))
    for name, arguments in _ARGUMENTS.items():
        getattr(library, name).argtypes = arguments
        getattr(library, name).restype = c_int64 if name.endswith("_scratch") else None
    return library
