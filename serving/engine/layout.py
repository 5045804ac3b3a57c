"""Finds how many threads one step is fastest with, by measuring, and says so. Knows an engine; knows no HTTP.

More threads are not always faster: a step of a small model waits at more barriers than it computes, and a core
that someone else uses holds up all others. So at the start each count is tried on the steps that matter.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

NUM_TRIES = 9
MAX_SECONDS = 5.0  # a large model's step takes seconds; two rounds say enough then


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
