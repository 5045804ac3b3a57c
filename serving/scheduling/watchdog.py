"""Notices an engine that no longer gets anywhere. Knows no tensors, no HTTP.

A step that hangs in a kernel raises nothing. Its requests would wait for their deadlines, and the platform would go
on sending more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LOOKS_PER_STALL = 10


class Watchdog:
    """Calls `on_stall` once, when `progress` has had the same number for `stall_s`.

    progress: a number that changes whenever work moves on; None while there is no work.
    """

    def __init__(self, progress: Callable[[], int | None], *, stall_s: float, on_stall: Callable[[], None]) -> None:
        self._progress = progress
        self._stall_s = stall_s
        self._on_stall = on_stall
        self._is_over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._is_over.set()

    def _watch(self) -> None:
        seen, since = self._progress(), time.monotonic()
        while not self._is_over.wait(self._stall_s / LOOKS_PER_STALL):
            now, progress = time.monotonic(), self._progress()
            if progress is None or progress != seen:
                seen, since = progress, now
            elif now - since >= self._stall_s:
                self._on_stall()
                return
