"""All processes that the local cloud runs, by name.

Knows what runs and where; why it runs is the business of the service that started it.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Sequence
from pathlib import Path

from localcloud.faults import Faults
from localcloud.runtime.ports import Ports
from localcloud.runtime.probes import Probes
from localcloud.runtime.process import Process, Spec, Timing


class Supervisor:
    """Thread-safe. Names are unique: a second `start` of a name stops what ran under it."""

    def __init__(self, *, faults: Faults, timing: Timing | None = None) -> None:
        self._faults = faults
        self._timing = timing or Timing()
        self._ports = Ports()
        self._lock = threading.Lock()
        self._processes: dict[str, Process] = {}

    def start(
        self,
        name: str,
        *,
        command: Sequence[str],
        cwd: Path,
        env: dict[str, str],
        preferred_port: int,
        port_variable: str,
        log: Path,
        probes: Probes | None = None,
        image: str = "",
    ) -> Process:
        """Starts it and returns at once; `Process.wait_healthy` waits.

        env: the process's whole environment, see `localcloud.runtime.environment`.
        preferred_port: taken when free; 0 for any. The one used is `Process.port`, given in `port_variable`.
        image: shown in the status, not used.
        OSError: no port is free.
        """
        if not command:
            raise ValueError(f"{name}: an empty command cannot be run; the image needs a CMD or an ENTRYPOINT")
        spec = Spec(
            name=name,
            command=tuple(command),
            cwd=cwd,
            env=env,
            preferred_port=preferred_port,
            port_variable=port_variable,
            log=log,
            probes=probes or Probes(),
            image=image,
        )
        self.stop(name)
        process = Process(spec, ports=self._ports, faults=self._faults, timing=self._timing)
        with self._lock:
            self._processes[name] = process
        process.start()
        return process

    def get(self, name: str) -> Process | None:
        with self._lock:
            return self._processes.get(name)

    def list(self, *, under: str = "") -> builtins.list[Process]:
        """All, or those whose name starts with `under` and a slash."""
        prefix = under.rstrip("/") + "/" if under else ""
        with self._lock:
            return [process for name, process in sorted(self._processes.items()) if name.startswith(prefix)]

    def stop(self, *names: str) -> None:
        """Stops them at the same time, and returns when they are gone. Unknown names are no error."""
        with self._lock:
            stopped = [self._processes.pop(name) for name in names if name in self._processes]
        for process in stopped:
            process.ask_to_stop()
        for process in stopped:
            process.join()

    def stop_all(self) -> None:
        with self._lock:
            names = builtins.list(self._processes)
        self.stop(*names)
