"""Whether a training fits this machine, asked before the weights are loaded. Knows the formulas; loads nothing.

On GPUs it is each GPU's free memory that counts, without them the machine's own, which all its processes share.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from training.config.reading import BadConfig
from training.config.task import TaskConfig
from training.scale.memory import GIB, WAYS_OUT, need
from training.scale.sizes import Size

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Here:
    """gpu_bytes: free on this process's GPU; None where there is none. num_local: of the processes on this machine."""

    machine_bytes: int
    gpu_bytes: int | None
    num_processes: int
    num_local: int


def here(num_processes: int, *, environment: Mapping[str, str] = os.environ) -> Here:
    """num_processes: of the whole training."""
    num_local = int(environment.get("LOCAL_WORLD_SIZE") or 1)
    gpu = None
    if torch.cuda.is_available():
        gpu = int(torch.cuda.mem_get_info(int(environment.get("LOCAL_RANK") or 0))[0])
    return Here(machine_bytes=_machine_bytes(), gpu_bytes=gpu, num_processes=num_processes, num_local=num_local)


def require_room_here(config: TaskConfig, size: Size | None, found: Here) -> None:
    """Raises `BadConfig` when the formulas say that it does not fit. size: None of what they are not about."""
    if size is None or not config.scale.check_memory:
        return
    if found.gpu_bytes is None and config.optimizer.precision == "auto":  # fp32, where there is no GPU
        config = config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"precision": "fp32"})})
    wanted = need(config, size, num_gpus=found.num_processes)
    if found.gpu_bytes is not None:
        _fits(config, wanted.total, found.gpu_bytes, "the GPU of each process")
        _fits(config, wanted.host * found.num_local, found.machine_bytes, "this machine")
    else:
        _fits(config, (wanted.total + wanted.host) * found.num_local, found.machine_bytes, "this machine")


def _fits(config: TaskConfig, wanted: float, there: int, where: str) -> None:
    if wanted > there:
        raise BadConfig(
            f"{config.model.base} by {config.scale.strategy} does not fit: it needs {wanted / GIB:.1f} GiB of {where}, "
            f"which has {there / GIB:.1f}; {WAYS_OUT}"
        )


def _machine_bytes() -> int:
    """The machine's memory, or the container's share of it."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        return whole
    return min(whole, int(limit)) if limit.isdigit() else whole
