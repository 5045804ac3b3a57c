"""Which requests came in, in order: what tests count when they ask whether something was started twice.

Kept in a file, one JSON line each, so that a restart forgets nothing. Knows nothing of what they mean.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from pathlib import Path
from typing import Any

from localcloud.operations import now

MAX_ENTRIES = 20_000  # the newest; older ones go at the next start


class Journal:
    """Thread-safe. Requests to /localcloud/ itself and to the metadata server are the caller's to leave out."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(_read(path), maxlen=MAX_ENTRIES)
        self._file = path.open("w")
        self._file.writelines(json.dumps(entry) + "\n" for entry in self._entries)
        self._file.flush()

    def add(self, method: str, path: str, *, query: str, status: int, seconds: float) -> None:
        """status: 0 when no answer went out (a dropped connection, a client that left)."""
        entry = {"time": now(), "method": method, "path": path, "status": status, "seconds": round(seconds, 4)}
        if query:
            entry["query"] = query
        with self._lock:
            self._entries.append(entry)
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def entries(self, *, method: str | None = None, path: str | None = None) -> list[dict[str, Any]]:
        """path: a regular expression, searched for."""
        pattern = re.compile(path or "")
        with self._lock:
            entries = list(self._entries)
        return [
            entry
            for entry in entries
            if method in (None, entry["method"]) and pattern.search(entry["path"]) is not None
        ]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._file.seek(0)
            self._file.truncate()

    def close(self) -> None:
        with self._lock:
            self._file.close()


def _read(path: Path) -> list[dict[str, Any]]:
    """A line that a killed process left half-written is skipped."""
    entries = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return entries
