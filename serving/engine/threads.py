"""How many cores this process really has. Knows the operating system; knows no tensors.

PyTorch takes as many threads as the machine has cores, also in a container that may use two of them. One thread
too many waits at every barrier of every operation: 5 to 9 times slower.
"""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Cores that this process may run on, cut to its container's share of CPU time; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    # half a core of quota more is not worth a thread that waits half of the time
    return max(1, min(cores, int(quota))) if quota else cores


def _quota(cgroup: Path) -> float | None:
    """CPU seconds per second that the container may use; None without a limit."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return int(limit) / int(period) if limit.isdigit() and int(period) else None
