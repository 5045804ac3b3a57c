"""The local Google Cloud as a background process: started, found again, stopped, and proved gone.

Talks to it only through its command line and `GET /localcloud/status`; knows nothing of what it serves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from scripts.machine import ROOT, MachineUnfit, port_is_taken

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0


class LocalCloudFailed(Exception):
    """It did not start or did not stop; the message says what was seen and where the log is."""


@dataclass(frozen=True)
class LocalCloud:
    """One local cloud: where it listens and where it keeps its data."""

    url: str
    project: str
    project_number: str
    data_dir: Path = ROOT / ".flanstack" / "localcloud"
    log: Path = ROOT / ".flanstack" / "logs" / "localcloud.log"

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        if port is None:
            raise MachineUnfit(f"google.api_endpoint is {self.url!r}; it must name a port, as http://127.0.0.1:8700")
        return port

    def status(self) -> dict[str, Any] | None:
        """What it says of itself; None when nothing answers there, or something else does."""
        try:
            status = httpx.get(f"{self.url}/localcloud/status", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return None
        return status if isinstance(status, dict) and "data_dir" in status else None

    def is_ours(self, status: dict[str, Any]) -> bool:
        return Path(status["data_dir"]).resolve() == self.data_dir.resolve()

    def start(self) -> bool:
        """Starts it unless it runs already. True when this call started it.

        MachineUnfit: its port is taken, by another program or by the local cloud of another clone.
        """
        status = self.status()
        if status is not None:
            if self.is_ours(status):
                return False
            raise MachineUnfit(
                f"The local cloud of another folder ({status['data_dir']}, process {status['pid']}) listens on "
                f"{self.url}. Run `make down` there, or change google.api_endpoint in deployments/local.toml."
            )
        for port in (self.port, self.port + 1):
            if port_is_taken(port):
                raise MachineUnfit(
                    f"Port {port} on 127.0.0.1 is in use by another program; the local cloud needs {self.port} and "
                    f"{self.port + 1}. Stop that program, or change google.api_endpoint in deployments/local.toml."
                )
        self._launch()
        return True

    def _launch(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "localcloud", "serve", "--port", str(self.port), "--data", str(self.data_dir)]
        command += ["--project", f"{self.project}={self.project_number}"]
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.status() is None:
            if process.poll() is not None or time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                tail = "\n    ".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise LocalCloudFailed(f"The local cloud did not start. The end of {self.log}:\n    {tail}")
            time.sleep(0.1)

    def stop(self) -> list[int]:
        """Stops it and everything it runs; returns the process ids that are proved gone.

        LocalCloudFailed: a process was still there after the time allowed; it is named.
        """
        status = self.status()
        if status is None or not self.is_ours(status):
            return []
        pids = [status["pid"], *(process["pid"] for process in status["processes"] if process.get("pid"))]
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(f"{self.url}/localcloud/stop", timeout=STOP_TIMEOUT_S)
        if not _gone(pids, STOP_TIMEOUT_S):
            with contextlib.suppress(ProcessLookupError):
                os.kill(status["pid"], signal.SIGTERM)
        if not _gone(pids, STOP_TIMEOUT_S):
            left = [pid for pid in pids if is_alive(pid)]
            raise LocalCloudFailed(f"Still running after {2 * STOP_TIMEOUT_S:.0f} s: processes {left}. Log: {self.log}")
        return pids


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    # A zombie has ended; only its parent's wait() is missing.
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def _gone(pids: list[int], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
