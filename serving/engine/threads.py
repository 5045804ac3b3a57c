"""How many cores this process really has, and with how many threads one step is fastest. Knows no tensors, no model.

PyTorch takes as many threads as the machine has cores, also in a container that may use two of them. One thread
too many waits at every barrier of every operation: 5 to 9 times slower. And more threads are not always faster: a
step of a small model waits at more barriers than it computes, and a core that someone else uses holds up all others.
So at the start each count is tried on the steps that matter.
"""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

CGROUP = Path("/sys/fs/cgroup")
NUM_TRIES = 9
MAX_SECONDS = 5.0  # a large model's step takes seconds; two rounds say enough then


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Cores that this process may run on, cut to its container's share of CPU time; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    # half a core of quota more is not worth a thread that waits half of the time
    return max(1, min(cores, int(quota))) if quota else cores


def choose_threads(num_cores: int, *, set_threads: Callable[[int], None], step: Callable[[], None]) -> int:
    """The number of threads, of 1, 2, 4 … and `num_cores`, with which `step` is fastest; it is set.

    Rounds are interleaved; a larger number must be faster by a twentieth to be taken: its cores are not free.
    """
    counts = sorted({*(1 << power for power in range(num_cores.bit_length())), num_cores} - {0})
    counts = [count for count in counts if count <= num_cores]
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    started = time.perf_counter()
    for number in range(NUM_TRIES + 1):
        if number > 1 and time.perf_counter() - started > MAX_SECONDS:
            break
        for count in counts:
            set_threads(count)
            begin = time.perf_counter()
            step()
            if number:  # the first time is for warming up
                seconds[count].append(time.perf_counter() - begin)
    medians = {count: statistics.median(times) for count, times in seconds.items()}
    best = counts[0]
    for count in counts[1:]:
        if medians[count] < 0.95 * medians[best]:
            best = count
    set_threads(best)
    shown = ", ".join(f"{count}: {1000 * median:.1f} ms" for count, median in medians.items())
    log.info("threads: %d of %d cores (one step with each number of threads: %s)", best, num_cores, shown)
    return best


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
