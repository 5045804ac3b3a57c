"""How PyTorch and the Hugging Face libraries are set before their import. Knows no files.

They are imported in here, and wherever else a folder is loaded, inside functions: they take seconds, and the port
opens first.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from serving.checkpoint.errors import CheckpointError

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
# without any of these PyTorch, whose import takes seconds, need not be asked for a GPU
GPU_FILES = (Path("/dev/nvidia0"), Path("/dev/nvidiactl"), Path("/dev/dxg"))


def set_libraries() -> None:
    """Keeps the Hugging Face libraries off the network, and OpenMP's threads off busy cores. Before their import."""
    os.environ.update(OFFLINE)
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)


def choose_device(torch: Any, wanted: str) -> str:
    """cpu or cuda; `wanted` may be auto. Raises `CheckpointError`."""
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise CheckpointError("DEVICE is cuda but PyTorch sees no GPU; set DEVICE=cpu, or check the driver")
    return "cuda" if has_gpu and wanted != "cpu" else "cpu"


def choose_dtype(torch: Any, wanted: str, device: str) -> Any:
    if wanted == "auto":
        return torch.bfloat16 if device == "cuda" else torch.float32
    return getattr(torch, wanted)
