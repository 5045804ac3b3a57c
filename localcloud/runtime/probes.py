"""One look at a process: does its port open, does its route answer 200, does its command exit with 0?

Knows nothing of restarts, replicas or Vertex AI.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Probe:
    """What is looked at. With neither path nor command it is a TCP connect, as Vertex AI does by default.

    window_s: how long it may go on failing (Kubernetes: period times failure threshold).
    """

    path: str | None = None
    command: tuple[str, ...] | None = None
    port: int | None = None  # None: the port that the process was given
    timeout_s: float = 10.0
    window_s: float = 40.0


@dataclass(frozen=True)
class Probes:
    """How one process is watched.

    startup: until it passes once, the others wait; None: they begin at once.
    liveness: failing for its whole window restarts the process.
    health: decides whether it gets traffic; None: an open port is enough.
    """

    startup: Probe | None = None
    liveness: Probe = field(default_factory=Probe)
    health: Probe | None = None


def look(probe: Probe, *, port: int, env: dict[str, str], cwd: Path) -> str | None:
    """None when it passes, else why not."""
    port = probe.port or port
    try:
        if probe.path is not None:
            return _get(probe.path, port, probe.timeout_s)
        if probe.command is not None:
            return _execute(probe.command, probe.timeout_s, env, cwd)
        with socket.create_connection((LOOPBACK, port), timeout=probe.timeout_s):
            return None
    except (OSError, http.client.HTTPException) as error:
        return f"port {port}: {error or type(error).__name__}"


def _get(path: str, port: int, timeout_s: float) -> str | None:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"User-Agent": "GoogleHC/1.0"})
        response = connection.getresponse()
        body = response.read(300).decode(errors="replace").strip()
        return None if response.status == 200 else f"GET {path} answered {response.status}: {body}"
    finally:
        connection.close()


def _execute(command: tuple[str, ...], timeout_s: float, env: dict[str, str], cwd: Path) -> str | None:
    try:
        done = subprocess.run(command, env=env, cwd=cwd, timeout=timeout_s, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return f"{command[0]} took longer than {timeout_s:g} s"
    return None if done.returncode == 0 else f"{command[0]} exited with {done.returncode}"
