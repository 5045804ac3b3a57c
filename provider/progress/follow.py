"""Shows people what the provider is doing, out of the file in which it tells (`phases`).

Terraform hides a provider's output while it works, and no provider can change that; so a second program shows it:
beside the one that applies (`--follow`), or around it (`-- terraform apply`), which is what CI wants.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from provider import local_state
from provider.progress.phases import clock

POLL_S = 0.2


@dataclass(frozen=True)
class Event:
    """One line of the file. usual_s: the median of past runs of this phase; None when there is none."""

    time: str
    resource: str
    id: str
    phase: str
    phase_s: float
    elapsed_s: float
    usual_s: float | None = None
    machine: str = ""
    message: str = ""

    @property
    def told(self) -> str:
        """`GETTING_CONTAINER_IMAGE 06:12, usually 09:40`."""
        usual = f", usually {clock(self.usual_s)}" if self.usual_s is not None else ""
        return f"{self.phase} {clock(self.phase_s)}{usual}"

    @property
    def line(self) -> str:
        when = datetime.fromisoformat(self.time).astimezone()
        machine = f" on {self.machine}" if self.machine else ""
        message = f"  {self.message}" if self.message else ""
        in_all = f" ({clock(self.elapsed_s)} in all)" if self.elapsed_s - self.phase_s >= 1 else ""
        return f"{when:%H:%M:%S}  {self.resource} {self.id}{machine}  {self.told}{in_all}{message}"


def parse(line: str) -> Event | None:
    """None for what is no event: another program's line, or one of another version."""
    try:
        found = json.loads(line)
        return Event(**{name: found[name] for name in Event.__dataclass_fields__ if name in found})
    except (ValueError, TypeError, KeyError):
        return None


@dataclass
class Follower:
    """Reads a file that grows, is replaced by a new one, or is not there yet. Half a line waits for its other half."""

    path: Path
    from_start: bool = False
    _offset: int = 0
    _inode: int = 0
    _half: str = ""
    _opened: bool = field(default=False)

    def new(self) -> Iterator[Event]:
        """What has come since the last call."""
        try:
            status = self.path.stat()
        except OSError:
            self._opened = True  # whatever comes into it from now on is new
            return
        if not self._opened:
            self._opened, self._inode = True, status.st_ino
            self._offset = 0 if self.from_start else status.st_size
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._inode, self._offset, self._half = status.st_ino, 0, ""
        with self.path.open(encoding="utf-8", errors="replace") as lines:
            lines.seek(self._offset)
            text = self._half + lines.read()
            self._offset = lines.tell()
        *whole, self._half = text.split("\n")
        yield from (event for event in map(parse, whole) if event is not None)


def show(path: Path | None, *, follow: bool, command: Sequence[str], out: TextIO = sys.stderr) -> int:
    """The exit status. Shows to stderr, so that a command's own output can be piped on."""
    if command:
        return _around(command, path, out)
    path = path or local_state.progress_file()
    if not follow:
        return _latest(path, out)
    out.write(f"Following {path}. Ctrl-C ends.\n")
    out.flush()
    for event in _latest_events(path):
        _print(event, out)
    try:
        _follow(Follower(path), threading.Event(), out)
    except KeyboardInterrupt:
        out.write("\n")
    return 0


def _follow(follower: Follower, over: threading.Event, out: TextIO) -> None:
    """Shows what comes until it is over, and then the rest."""
    while not over.wait(POLL_S):
        for event in follower.new():
            _print(event, out)
    for event in follower.new():
        _print(event, out)


def _print(event: Event, out: TextIO) -> None:
    out.write(event.line + "\n")
    out.flush()


def _latest_events(path: Path) -> list[Event]:
    """The last one of each resource, of those that were told within the last minute."""
    latest: dict[tuple[str, str], Event] = {}
    for event in Follower(path, from_start=True).new():
        latest[event.resource, event.id] = event
    now = datetime.now(UTC)
    return [one for one in latest.values() if (now - datetime.fromisoformat(one.time)).total_seconds() < 60]


def _latest(path: Path, out: TextIO) -> int:
    events = _latest_events(path)
    for event in events:
        _print(event, out)
    if not events:
        out.write(f"The provider has told nothing within the last minute ({path}).\n")
    return 0


def _around(command: Sequence[str], path: Path | None, out: TextIO) -> int:
    """Runs a command with a progress file of its own, unless one is named, and shows it."""
    named = path or os.environ.get(local_state.PROGRESS_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="flanstack-") as folder:
        file = Path(named or f"{folder}/progress.jsonl").resolve()
        follower, over = Follower(file), threading.Event()
        list(follower.new())  # what an earlier run told is not shown
        try:
            child = subprocess.Popen(command, env=os.environ | {local_state.PROGRESS_VARIABLE: str(file)})
        except OSError as error:
            out.write(f"{command[0]} cannot be run: {error.strerror}.\n")
            return 127
        # Ctrl-C goes to the command as well, and it decides when to end; a TERM is passed on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        shower = threading.Thread(target=_follow, args=(follower, over, out))
        shower.start()
        code = child.wait()
        over.set()
        shower.join()
    return 128 - code if code < 0 else code
