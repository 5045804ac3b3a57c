"""The server's side of the nursery: starts it, hears how its loading goes, asks it for workers, ends it.

Knows processes and sockets; knows no sequences, no tensors.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.folder import Progress
from serving.workers.child import environment
from serving.workers.messages import Failed, Hired, Layout, Loaded, Measure, Phase, Settings

END_S = 5.0


class NurseryGone(Exception):
    """There will be no more workers; the message says how it ended."""


class NurseryProcess:
    """One nursery. `wait_loaded`, then `choose_layout`, then `hire`."""

    def __init__(self, settings: Settings) -> None:
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "serving.workers.nursery", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=environment(),
        )
        theirs.close()
        self._socket = ours
        self._connection = Connection(os.dup(ours.fileno()))
        self._connection.send(settings)

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_loaded(self, progress: Progress) -> Loaded:
        """Raises `CheckpointError` when the model cannot be loaded."""
        while True:
            try:
                said = self._connection.recv()
            except (EOFError, OSError):
                raise CheckpointError(self._how_it_ended("while the model was loaded")) from None
            if isinstance(said, Loaded):
                return said
            if isinstance(said, Failed):
                raise CheckpointError(said.why)
            if isinstance(said, Phase) and said.name:
                progress.enter(said.name, total_bytes=said.total_bytes)
            elif isinstance(said, Phase):
                progress.advance(said.advanced)

    def choose_layout(self) -> Layout:
        """The fastest of those in the settings, for which nothing else should run. Raises `CheckpointError`."""
        try:
            self._connection.send(Measure())
            layout: Layout = self._connection.recv()
        except (EOFError, OSError):
            raise CheckpointError(self._how_it_ended("while layouts were measured")) from None
        return layout

    def hire(self) -> tuple[Connection, int]:
        """A new worker: its connection and its process id. Raises `NurseryGone`."""
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._socket, [b"w"], [theirs.fileno()])
            hired: Hired = self._connection.recv()
        except (OSError, EOFError):
            ours.close()
            raise NurseryGone(self._how_it_ended("and cannot be asked for a worker")) from None
        finally:
            theirs.close()
        return Connection(ours.detach()), hired.pid

    def close(self) -> None:
        """Ends it with its workers; returns when they are gone."""
        self._connection.close()
        self._socket.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:  # it was still loading
            self._process.kill()
            self._process.wait()

    def _how_it_ended(self, when: str) -> str:
        try:
            status = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            status = None
        ended = (
            f"was killed by signal {-status}" if status is not None and status < 0 else f"ended with status {status}"
        )
        hint = "; signal 9 is what a machine or container out of memory sends" if status == -9 else ""
        return f"the process that holds the weights {ended} {when}{hint}"
