"""What a long operation is doing, told while it runs: a line per phase with its elapsed time.

Terraform hides a provider's output while it works, so each line goes to stderr (Terraform's log)
and, when FLANSTACK_PROGRESS_FILE names a file, there as JSON for whoever follows it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


def clock(elapsed_s: float) -> str:
    """`06:12`, or `1:06:12` from an hour on."""
    minutes, rest = divmod(int(elapsed_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


@dataclass
class Progress:
    """The phases of one operation on one resource."""

    resource: str
    identifier: str
    started: float = field(default_factory=time.monotonic)
    _phase: str = ""

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def phase_now(self) -> str:
        return self._phase

    def phase(self, phase: str, message: str = "") -> None:
        """Tells a phase once, when it begins."""
        if phase == self._phase:
            return
        self._phase = phase
        sys.stderr.write(f"[INFO]  {self.resource} {self.identifier}: {phase} {clock(self.elapsed_s)} {message}\n")
        sys.stderr.flush()
        path = os.environ.get("FLANSTACK_PROGRESS_FILE")
        if path:
            self._append(path, phase, message)

    def _append(self, path: str, phase: str, message: str) -> None:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "resource": self.resource,
            "id": self.identifier,
            "phase": phase,
            "elapsed_s": round(self.elapsed_s, 3),
            "message": message,
        }
        try:
            with Path(path).open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")
        except OSError as error:  # a follower's file is no reason to fail a deployment
            sys.stderr.write(f"[WARN]  FLANSTACK_PROGRESS_FILE {path!r} cannot be written: {error}\n")
