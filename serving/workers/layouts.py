"""Finds by measuring how many worker processes, with how many threads each, make most tokens on this machine.

Each candidate runs for a moment, as forks of a process that has the weights. Knows forks and seconds; knows no model.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import struct
import time
from collections.abc import Callable

from serving.workers.messages import Layout

log = logging.getLogger(__name__)

PROBE_S = 0.4
NUM_ROUNDS = 2
# Fewer processes are taken as long as they are nearly as fast: who reads tokens as they come waits less between two of
# them, since a newcomer's prompt is encoded on all cores (docs/decisions/0012-one-thread-workers-that-sleep.md).
NEARLY = 0.75
# more threads for one sequence must be faster by this: their cores are not free
WORTH = 1.05

# with a number of rows and of threads, what one step is
Step = Callable[[], None]
StepFor = Callable[[int, int], Step]
Pairs = tuple[tuple[int, int], ...]


def candidates(num_cores: int, *, num_workers: int = 0, num_threads: int = 0) -> Pairs:
    """Pairs of workers and threads that fill the cores; what is given (not 0) is fixed, and may overfill them."""
    if num_workers:
        return ((num_workers, num_threads or max(1, num_cores // num_workers)),)
    if num_threads:
        return tuple((count, num_threads) for count in sorted({1, max(1, num_cores // num_threads)}))
    powers = [1 << power for power in range(num_cores.bit_length())]
    return tuple((count, num_cores // count) for count in sorted({*powers, num_cores}))


def choose(pairs: Pairs, step_for: StepFor, *, num_rows: int) -> Layout:
    """The pair with which `num_rows` sequences advance fastest; of those nearly as fast, the one with fewest workers.

    Then, where there are several workers, the number of threads for one that works alone on one sequence.
    """
    speeds = _speeds(pairs, step_for, num_rows=num_rows) if len(pairs) > 1 else dict.fromkeys(pairs, 0.0)
    fastest = max(speeds.values())
    best = next(pair for pair in pairs if speeds[pair] >= NEARLY * fastest)
    layout = Layout(*best, alone_threads=_alone(*best, step_for))
    shown = ", ".join(f"{n} x {t}: {speed:.0f}" for (n, t), speed in speeds.items())
    log.info("layout: %s (tokens per second of %d sequences, by workers x threads: %s)", layout, num_rows, shown)
    return layout


def _alone(num_workers: int, num_threads: int, step_for: StepFor) -> int:
    """Threads of a worker while the others are idle: its own, or theirs as well where that is faster."""
    all_threads = num_workers * num_threads
    if num_workers == 1:
        return num_threads
    speeds = _speeds(((1, num_threads), (1, all_threads)), step_for, num_rows=1)
    return all_threads if speeds[1, all_threads] > WORTH * speeds[1, num_threads] else num_threads


def _speeds(pairs: Pairs, step_for: StepFor, *, num_rows: int) -> dict[tuple[int, int], float]:
    """The best of interleaved rounds: what else runs on the machine only ever takes away."""
    speeds = dict.fromkeys(pairs, 0.0)
    for _ in range(NUM_ROUNDS):
        for pair in pairs:
            speeds[pair] = max(speeds[pair], _speed(*pair, step_for, num_rows=num_rows))
    return speeds


def _speed(num_workers: int, num_threads: int, step_for: StepFor, *, num_rows: int) -> float:
    """Rows times steps per second of all probes together, which run at the same time."""
    rows_each = -(-num_rows // num_workers)
    probes = [_Probe(lambda: step_for(rows_each, num_threads)) for _ in range(num_workers)]
    try:
        for probe in probes:
            probe.wait_ready()
        for probe in probes:
            probe.go()
        return rows_each * sum(probe.result() for probe in probes)
    finally:
        for probe in probes:
            probe.close()


class _Probe:
    """A fork that takes steps for a moment and tells how many it took in a second."""

    def __init__(self, prepare: Callable[[], Step]) -> None:
        self._from_child, to_parent = os.pipe()
        from_parent, self._to_child = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                _probe(prepare, from_parent, to_parent)
            finally:
                os._exit(0)
        os.close(to_parent)
        os.close(from_parent)

    def wait_ready(self) -> None:
        os.read(self._from_child, 1)

    def go(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died: its result says so
            os.write(self._to_child, b"g")

    def result(self) -> float:
        """0 of a probe that has died: a layout that cannot run is not taken."""
        told = os.read(self._from_child, 8)
        return float(struct.unpack("d", told)[0]) if len(told) == 8 else 0.0

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._from_child)
        os.close(self._to_child)


def _probe(prepare: Callable[[], Step], from_parent: int, to_parent: int) -> None:
    step = prepare()
    step()
    os.write(to_parent, b"r")
    os.read(from_parent, 1)
    num_steps, begin = 0, time.perf_counter()
    while (seconds := time.perf_counter() - begin) < PROBE_S:
        step()
        num_steps += 1
    os.write(to_parent, struct.pack("d", num_steps / seconds))
