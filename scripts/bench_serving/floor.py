"""How fast this machine reads memory, which bounds a single stream. Knows no model."""

from __future__ import annotations

import time

BUFFER_BYTES = 1 << 30
TRIES = 7


def read_bandwidth(num_threads: int) -> float:
    """Bytes per second of the best of a few passes over a buffer that fits no cache."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        buffer = torch.ones(BUFFER_BYTES // 4)
        seconds = []
        for _ in range(TRIES):
            started = time.perf_counter()
            buffer.sum()
            seconds.append(time.perf_counter() - started)
        return BUFFER_BYTES / min(seconds)
    finally:
        torch.set_num_threads(before)
