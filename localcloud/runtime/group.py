"""A command and all that it starts: one process group, which ends with the local cloud however that ends.

Knows nothing of restarts, ports or probes.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

KEEPER = Path(__file__).with_name("keeper.py")


class Group:
    """Started when it is made. env: the whole environment; log: takes what it prints."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: IO[bytes]) -> None:
        self.was_killed = False
        self._leader = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._leader.pid

    def poll(self) -> int | None:
        """What the command exited with, 128 and more for a signal; None while it runs."""
        return self._leader.poll()

    def end(self, grace_s: float) -> int:
        """SIGTERM to the command, grace, SIGKILL to whatever is left of the group. Returns its exit code."""
        if self._leader.poll() is None:
            self._leader.terminate()
            try:
                self._leader.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.was_killed = True
        # Also after it exited: what it started is still in its group.
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self._leader.pid, signal.SIGKILL)
        code = self._leader.wait()
        if self._leader.stdin is not None:
            self._leader.stdin.close()
        return code


def expand(word: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` from the environment, `$$(NAME)` literally; unknown names stay: Kubernetes' rule, and Vertex AI's."""

    def value(match: re.Match[str]) -> str:
        if match.group(0).startswith("$$"):
            return match.group(0)[1:]
        return env.get(match.group(1), match.group(0))

    return re.sub(r"\$?\$\(([A-Za-z_][A-Za-z0-9_]*)\)", value, word)
