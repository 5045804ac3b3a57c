"""A line per phase with its elapsed time: live on a terminal, plain lines elsewhere.

Knows how to print; knows nothing of what the phases do. Standard library only, because it also
serves the installer, which runs before anything is installed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

HEARTBEAT_S = 15.0


def clock(seconds: float) -> str:
    """`7.4 s` below a minute, `2:05 min` above."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


class Phase:
    """One running phase. `note` tells what it is doing now; the last note stays on its line."""

    def __init__(self, timeline: Timeline, title: str) -> None:
        self.title = title
        self.started = time.monotonic()
        self._timeline = timeline
        self._note = ""

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def note(self, text: str) -> None:
        if text != self._note:
            self._note = text
            self._timeline.show(self)

    def line(self, mark: str) -> str:
        note = f"  {self._note}" if self._note else ""
        return f"  {mark} {self.title:<34} {clock(self.elapsed):>9}{note}"


class Timeline:
    """Prints phases as they run and remembers how long each took."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self.durations: dict[str, float] = {}
        self.started = time.monotonic()
        self._out = out
        self._live = out.isatty()
        self._lock = threading.Lock()

    @contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        phase = Phase(self, title)
        self.show(phase)
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(phase, done), daemon=True)
        ticker.start()
        mark = "✗"
        try:
            yield phase
            mark = "✓"
        finally:
            done.set()
            ticker.join()
            self.durations[title] = phase.elapsed
            self._print(phase.line(mark), final=True)

    def show(self, phase: Phase) -> None:
        self._print(phase.line("…"), final=False)

    def say(self, text: str) -> None:
        self._print(text, final=True)

    def _tick(self, phase: Phase, done: threading.Event) -> None:
        while not done.wait(0.2 if self._live else HEARTBEAT_S):
            self.show(phase)

    def _print(self, text: str, *, final: bool) -> None:
        with self._lock:
            if self._live:
                self._out.write("\r\033[2K" + text + ("\n" if final else ""))
            else:
                self._out.write(text + "\n")
            self._out.flush()
