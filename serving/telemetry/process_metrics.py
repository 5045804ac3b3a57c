"""What the operating system says of this process, under the names that Prometheus' own clients use. Linux alone."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from serving.telemetry.prometheus import Gauge, Metric, ReadCounter

PROC = Path("/proc/self")


def proportional_bytes(pids: list[int]) -> int:
    """Memory of processes that share some of it: each page counts once, a share for each; 0 for one that is gone."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in (PROC.parent / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def process_metrics() -> list[Metric]:
    """None where there is no /proc."""
    if not (PROC / "statm").is_file():
        return []
    started = time.time()
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    return [
        ReadCounter("process_cpu_seconds_total", "User and system CPU time", _cpu_seconds),
        Gauge(
            "process_resident_memory_bytes",
            "Memory in use",
            lambda: int((PROC / "statm").read_text().split()[1]) * page_bytes,
        ),
        Gauge("process_open_fds", "Open file descriptors", lambda: sum(1 for _ in (PROC / "fd").iterdir())),
        Gauge("process_start_time_seconds", "When it started, in seconds since 1970", lambda: started),
    ]


def _cpu_seconds() -> float:
    times = os.times()
    return round(times.user + times.system, 2)
