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
        Kind("CTranslate2 int8", "int8", "ct2_batcher.py", ("int8", cores, "1"), can_stream=True),
        Kind("CTranslate2 fp32", "fp32", "ct2_batcher.py", ("float32", "1", cores), can_stream=True),
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

    def peak_mb(self) -> float:
        """The most memory that each process of the group has held, added up."""
        return sum(_peak_mb(pid) for pid in self._group())

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


def _peak_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1000
    return 0.0
