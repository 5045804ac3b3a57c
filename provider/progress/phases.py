"""What a long operation is doing, told while it runs: a line per phase, and one at least every 30 s.

Terraform hides a provider's output while it works, so each line goes to stderr (Terraform's log) and as JSON to a
file that `python -m provider progress` follows. Never to stdout: that is Terraform's.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from provider import local_state
from provider.progress import past_durations
from tfplugin.resource import Stopped

BEAT_S = 25.0  # a slow machine must not make 30 of it
MAX_FILE_BYTES = 1_000_000
# What interrupts a phase without being one: no measure of anything.
INTERRUPTIONS = ("UNREACHABLE", "WAITING")


def clock(elapsed_s: float) -> str:
    """`06:12`, or `1:06:12` from an hour on."""
    minutes, rest = divmod(int(elapsed_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


@dataclass
class Progress:
    """The phases of one operation on one resource. Thread-safe.

    asked: what was asked for, in a user's words, for the screen of a failure. machine: the type that it runs on;
    past runs are compared by it. model: the model version that is brought up.
    """

    resource: str
    identifier: str
    asked: str = ""
    machine: str = ""
    model: str = ""
    started: float = field(default_factory=time.monotonic)
    _phase: str = ""
    _begun: float = 0.0
    _told: float = 0.0
    _usual_s: float | None = None
    _is_whole: bool = True
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def phase_now(self) -> str:
        return self._phase

    @property
    def told(self) -> str:
        """`GETTING_CONTAINER_IMAGE 06:12, usually 09:40`."""
        with self._lock:
            usual = f", usually {clock(self._usual_s)}" if self._usual_s is not None else ""
            return f"{self._phase or 'STARTING'} {clock(self._in_phase_s)}{usual}"

    @property
    def _in_phase_s(self) -> float:
        return time.monotonic() - (self._begun or self.started)

    def phase(self, phase: str, message: str = "") -> None:
        """Tells a phase once, when it begins."""
        with self._lock:
            if phase == self._phase:
                return
            if self._phase and self._is_whole and phase not in INTERRUPTIONS:
                past_durations.add(past_durations.default_path(), self._key(self._phase), self._in_phase_s)
            self._is_whole = not {phase, self._phase} & set(
                INTERRUPTIONS
            )  # what comes after one is the rest of a phase
            self._phase, self._begun = phase, time.monotonic()
            self._usual_s = past_durations.usual_s(past_durations.default_path(), self._key(phase))
            self._tell("phase", message)

    @contextmanager
    def heartbeats(self) -> Iterator[None]:
        """Tells at least every 30 s where it is, as long as the block lasts, whatever it is waiting in."""
        over = threading.Event()
        self._told = self._told or time.monotonic()
        thread = threading.Thread(target=self._beat, args=(over,), name=f"heartbeat {self.identifier}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Lets time pass, telling where it is. Raises Stopped when Terraform asks to stop."""
        with self.heartbeats():
            if stop.wait(seconds):
                raise Stopped

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(max(0.01, self._told + BEAT_S - time.monotonic())):
            with self._lock:
                if time.monotonic() - self._told >= BEAT_S:
                    self._tell("beat", "")

    def _key(self, phase: str) -> str:
        return past_durations.key_of(self.resource, self.machine, phase)

    def _tell(self, event: str, message: str) -> None:
        self._told = time.monotonic()
        more = f" {message}" if message else ""
        local_state.say(f"{self.resource} {self.identifier}: {self.told} ({clock(self.elapsed_s)}){more}", level="INFO")
        path = local_state.progress_file()
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "resource": self.resource,
            "id": self.identifier,
            "machine": self.machine,
            "phase": self._phase,
            "phase_s": round(self._in_phase_s, 3),
            "usual_s": self._usual_s,
            "elapsed_s": round(self.elapsed_s, 3),
            "message": message,
            "pid": os.getpid(),
        }
        try:
            _append(path, json.dumps(line) + "\n")
        except OSError as error:  # a follower's file is no reason to fail a deployment
            local_state.say(f"The progress file {str(path)!r} cannot be written: {error}")


def _append(path: Path, line: str) -> None:
    """One write, so that lines of several providers do not mix. A file that has grown large becomes `….old`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_FILE_BYTES:
        path.replace(path.with_name(path.name + ".old"))
    with path.open("a", encoding="utf-8") as out:
        out.write(line)
