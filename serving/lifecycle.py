"""What the server is doing with its life, as /health tells it. Knows no HTTP, no model. Safe from any thread."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Literal

from serving.errors import NotReady

log = logging.getLogger(__name__)

Status = Literal["loading", "healthy", "draining", "failed"]


class Lifecycle:
    """loading (with a phase) -> healthy -> draining; or failed, from anywhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status: Status = "loading"
        self._phase = "starting"
        self._started = time.monotonic()

    @property
    def is_healthy(self) -> bool:
        return self._status == "healthy"

    def enter(self, phase: str) -> None:
        """Names what loading does now."""
        with self._lock:
            self._phase = phase
        log.info("%s (%.1f s since the start)", phase, self._elapsed_s())

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
            return {"status": self._status, "phase": self._phase, "elapsed_s": round(self._elapsed_s(), 1)}

    def require_healthy(self) -> None:
        """Raises `NotReady` unless requests can be answered."""
        with self._lock:
            if self._status != "healthy":
                raise NotReady(f"the server is {self._status}: {self._phase}; try again in 5 s", retry_after_s=5)

    def _become(self, status: Status, phase: str) -> None:
        with self._lock:
            # failed is final, and a draining server stays so even when its loader ends after SIGTERM
            if self._status == "failed" or (self._status == "draining" and status == "healthy"):
                return
            self._status, self._phase = status, phase
        log.info("%s: %s (%.1f s since the start)", status, phase, self._elapsed_s())

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started
