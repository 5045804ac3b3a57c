"""Processes that end by themselves: started once, never restarted, their exit code kept.

Knows nothing of ports, probes, jobs or any API.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from localcloud.runtime.group import Group, expand


@dataclass
class Task:
    """One command. image: shown in the status, not used. Not started twice."""

    name: str
    command: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    log: Path
    image: str = ""
    port: int = 0
    exit_code: int | None = None
    _group: Group | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        return None if self._group is None or self.exit_code is not None else self._group.pid

    @property
    def state(self) -> Literal["running", "ended"]:
        return "running" if self.exit_code is None else "ended"

    def start(self) -> None:
        """OSError when its folder is gone. A command that is no program exits with 127."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [expand(word, self.env) for word in self.command]
        self.note(f"starts {' '.join(command)}")
        with self.log.open("ab") as log:
            self._group = Group(command, cwd=self.cwd, env=self.env, log=log)

    def poll(self) -> int | None:
        """Its exit code once it has ended, and nothing of its group is left."""
        if self.exit_code is None and self._group is not None and self._group.poll() is not None:
            self.end(0)
        return self.exit_code

    def end(self, grace_s: float) -> None:
        """Stops it if it runs. Returns when its whole group is gone."""
        if self._group is None or self.exit_code is not None:
            return
        self.exit_code = self._group.end(grace_s)
        if self._group.was_killed:
            self.note(f"did not stop within {grace_s:g} s of SIGTERM: killed")
        self.note(f"ended with {self.exit_code}")

    def note(self, text: str) -> None:
        """A line of the local cloud's own in the log."""
        with self.log.open("ab") as log:
            log.write(f"[localcloud {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}] {self.name} {text}\n".encode())


class Tasks:
    """All tasks that run, by name. Thread-safe."""

    def __init__(self, *, grace_s: float) -> None:
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}

    def start(self, task: Task) -> None:
        with self._lock:
            self._tasks[task.name] = task
            task.start()

    def list(self) -> builtins.list[Task]:
        with self._lock:
            return [task for _, task in sorted(self._tasks.items())]

    def end(self, tasks: Sequence[Task]) -> None:
        """Stops them at the same time, and forgets them. Returns when they are gone."""
        threads = [threading.Thread(target=task.end, args=(self._grace_s,)) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self._lock:
            for task in tasks:
                if self._tasks.get(task.name) is task:
                    del self._tasks[task.name]

    def end_all(self) -> None:
        self.end(self.list())
