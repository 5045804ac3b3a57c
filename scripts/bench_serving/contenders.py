"""The servers that are compared, each a process group of its own: start, pause, weigh, stop.

All stay loaded while one is measured; the others are stopped by SIGSTOP, so that none of them takes a core.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).with_name("peers")
START_S = 240


@dataclass(frozen=True, slots=True)
class Kind:
    """One contender. `arguments` follow the folder and the port; `env` is for the project's own server."""

    name: str
    precision: str
    script: str | None = None
    arguments: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    can_stream: bool = False
    is_slow: bool = False
    layout: str = "one process"

    @property
    def is_ours(self) -> bool:
        return self.script is None


def kinds(num_cores: int) -> list[Kind]:
    """CTranslate2's layouts are its best on two cores: one thread for each of its workers in int8, all of them for
    one worker in fp32 (measured: int8 with two threads for one worker is slower than with one)."""
    cores = str(num_cores)
    return [
        Kind("project int8", "int8", env=(("QUANTIZE", "int8"),), can_stream=True),
        Kind("project fp32", "fp32", env=(("QUANTIZE", "none"),), can_stream=True),
        Kind(
            "CTranslate2 int8",
            "int8",
            "ct2_batcher.py",
            ("int8", cores, "1"),
            can_stream=True,
            layout=f"{cores} workers x 1 thread",
        ),
        Kind(
            "CTranslate2 fp32",
            "fp32",
            "ct2_batcher.py",
            ("float32", "1", cores),
            can_stream=True,
            layout=f"1 worker x {cores} threads",
        ),
        Kind("LitServe fp32", "fp32", "litserve_static.py", is_slow=True),
        Kind("naive fp32", "fp32", "naive.py", is_slow=True),
    ]


class Contender:
    """A running server of one kind over one model folder."""

    def __init__(self, kind: Kind, folder: Path, *, python: Path, log: Path) -> None:
        self.kind = kind
        self._folder = folder
        self._python = python
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self.url = ""

    def start(self) -> float:
        """Returns how long it took to answer its health check."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/predict"
        self._output = self._log.open("ab")
        started = time.monotonic()
        self._process = subprocess.Popen(
            self._command(port),
            cwd=ROOT,
            env=self._env(port),
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )
        self._wait_ready(port, started + START_S)
        return time.monotonic() - started

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGKILL)
            self._process.wait(30)
            self._process = None
        if self._output is not None:
            self._output.close()

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def layout(self) -> str:
        """Of processes and threads: what the project's server has found best, what the others were told."""
        if not self.kind.is_ours:
            return self.kind.layout
        url = f"http://{urlsplit(self.url).netloc}/metrics"
        with urllib.request.urlopen(url, timeout=30) as page:
            lines = page.read().decode().splitlines()
        number = next(int(float(line.split()[1])) for line in lines if line.startswith("serving_workers "))
        return f"{number} worker processes, as measured at its start" if number else "one process"

    def peak_mb(self) -> float:
        """The most memory that each process of the group has held, added up; what they share counts once."""
        group = self._group()
        shared = sum(_status_mb(pid, "smaps_rollup", "Rss:") - _status_mb(pid, "smaps_rollup", "Pss:") for pid in group)
        return sum(_status_mb(pid, "status", "VmHWM:") for pid in group) - shared

    def _command(self, port: int) -> list[str]:
        if self.kind.script is None:
            return [sys.executable, "-m", "serving"]
        return [str(self._python), str(PEERS / self.kind.script), str(self._folder), str(port), *self.kind.arguments]

    def _env(self, port: int) -> dict[str, str]:
        quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "CUDA_VISIBLE_DEVICES": ""}
        ours = {
            "MODEL_DIR": str(self._folder),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "MAX_INPUT_TOKENS": "256",
            "MAX_NEW_TOKENS": "128",
            "MAX_BATCH_SIZE": "32",
            "LOG_LEVEL": "warning",
        }
        return os.environ | quiet | (ours | dict(self.kind.env) if self.kind.is_ours else {})

    def _wait_ready(self, port: int, end: float) -> None:
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
            time.sleep(0.1)
        tail = self._log.read_text(errors="replace")[-2000:]
        raise SystemExit(f"{self.kind.name} did not become ready within {START_S} s; the end of its log:\n{tail}")

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _group(self) -> list[int]:
        if self._process is None:
            return []
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(int(path.name)) == self._process.pid:
                    found.append(int(path.name))
        return found


def _status_mb(pid: int, file: str, key: str) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) / 1000
    return 0.0
