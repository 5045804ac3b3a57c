"""What the provider is doing, shown on the line of a running phase: Terraform hides it.

Knows the provider's progress file; knows nothing of what is deployed or destroyed.
"""

from __future__ import annotations

import threading
from pathlib import Path

from provider.progress.follow import Follower
from scripts.timeline import Phase


class ProgressFollower:
    """Shows the provider's own progress lines, which Terraform hides, on the running phase."""

    def __init__(self, path: Path, phase: Phase) -> None:
        self._path, self._phase = path, phase
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> ProgressFollower:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        follower = Follower(self._path, from_start=True)
        while not self._done.wait(0.2):
            for event in follower.new():
                self._phase.note(f"{event.resource}: {event.told}")
