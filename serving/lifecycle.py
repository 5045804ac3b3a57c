"""What the server is doing with its life, as /health tells it. Knows no HTTP, no model. Safe from any thread."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Literal

from serving.errors import NotReady

log = logging.getLogger(__name__)

Status = Literal["loading", "healthy", "draining", "failed"]


@dataclass(slots=True)
class Phase:
    """One part of loading. `total_bytes` is None where there is nothing to count."""

    name: str
    began: float
    total_bytes: int | None = None
    num_bytes: int = 0
    ended: float | None = None

    def report(self, now: float) -> dict[str, Any]:
        seconds = round((self.ended or now) - self.began, 1)
        if self.total_bytes is None:
            return {"phase": self.name, "seconds": seconds}
        return {"phase": self.name, "seconds": seconds, "bytes": self.num_bytes, "total_bytes": self.total_bytes}


class Lifecycle:
    """loading (phase after phase) -> healthy -> draining; or failed, from anywhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status: Status = "loading"
        self._started = time.monotonic()
        self._phases = [Phase("starting", self._started)]
        self._why = ""

    @property
    def is_healthy(self) -> bool:
        return self._status == "healthy"

    def enter(self, phase: str, *, total_bytes: int | None = None) -> None:
        """Names what loading does now, and how many bytes it will read, where that is known."""
        now = time.monotonic()
        with self._lock:
            self._phases[-1].ended = now
            self._phases.append(Phase(phase, now, total_bytes))
        log.info("%s (%.1f s since the start)", phase, self._elapsed_s())

    def advance(self, num_bytes: int) -> None:
        """Counts bytes read in this phase."""
        with self._lock:
            self._phases[-1].num_bytes += num_bytes

    def healthy(self) -> None:
        self._become("healthy", "answering requests")

    def draining(self) -> None:
        self._become("draining", "finishing accepted requests")

    def failed(self, why: str) -> None:
        self._become("failed", why)

    def snapshot(self) -> dict[str, Any]:
        """The body of /health."""
        with self._lock:
            if self._status == "healthy":
                return {"status": "healthy"}
            body = {"status": self._status, "phase": self._phase, "elapsed_s": round(self._elapsed_s(), 1)}
            if self._status == "loading":
                now = time.monotonic()
                body["phases"] = [phase.report(now) for phase in self._phases]
            return body

    def require_healthy(self) -> None:
        """Raises `NotReady` unless requests can be answered."""
        with self._lock:
            if self._status != "healthy":
                raise NotReady(f"the server is {self._status}: {self._phase}; try again in 5 s", retry_after_s=5)

    @property
    def _phase(self) -> str:
        return self._phases[-1].name if self._status == "loading" else self._why

    def _become(self, status: Status, phase: str) -> None:
        with self._lock:
            # failed is final, and a draining server stays so even when its loader ends after SIGTERM
            if self._status == "failed" or (self._status == "draining" and status == "healthy"):
                return
            self._phases[-1].ended = time.monotonic()
            self._status, self._why = status, phase
        log.info("%s: %s (%.1f s since the start)", status, phase, self._elapsed_s())

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started
