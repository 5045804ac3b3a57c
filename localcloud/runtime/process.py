"""One supervised process: started, watched, restarted with back-off, stopped.

Each has a thread of its own that does all of this; other threads ask and wait. Restarts as Kubernetes
does under Vertex AI and Cloud Run: when it exits, or when its liveness fails for a whole window; a
failing health probe takes it out of the traffic and restarts nothing. Knows nothing of models,
services or HTTP routes.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from localcloud.faults import Faults
from localcloud.runtime.group import Group, expand
from localcloud.runtime.ports import Ports
from localcloud.runtime.probes import Probe, Probes, look

MAX_LOG_BYTES = 20 * 1024 * 1024
HEALTH_FAILURES = 4  # in a row, then no traffic: Vertex AI's custom container requirements
CALM_PERIODS = 4  # a healthy process is looked at this much less often: its log and the processor are its own
MAX_BACKOFF_STEPS = 5  # Kubernetes doubles its back-off from 10 s to 300 s

State = Literal["starting", "healthy", "unhealthy", "restarting", "stopped"]


@dataclass(frozen=True)
class Spec:
    """What to run, and how to watch it.

    env: the whole environment; `port_variable` is added. `$(NAME)` in the command is expanded from it.
    """

    name: str
    command: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    preferred_port: int
    port_variable: str
    log: Path
    probes: Probes
    image: str = ""


@dataclass(frozen=True)
class Timing:
    """period_s: between two looks, and what stands for Vertex AI's 10 s; grace_s: from SIGTERM to SIGKILL."""

    period_s: float = 0.5
    grace_s: float = 10.0


class Process:
    """Made by `Supervisor.start`. `port` is the same over all restarts."""

    def __init__(self, spec: Spec, *, ports: Ports, faults: Faults, timing: Timing) -> None:
        self.spec = spec
        self.port = ports.take(spec.preferred_port)
        self.restarts = 0
        self.last_exit: int | None = None
        self.reason = "not started yet"  # why it is not healthy, in words
        self._state: State = "starting"
        self._ports = ports
        self._faults = faults
        self._timing = timing
        self._child: Group | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"process {spec.name}", daemon=True)
        self._failures = 0

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """The leader of its process group; None while there is none."""
        child = self._child
        return None if child is None else child.pid

    @property
    def state(self) -> State:
        return self._state

    def log_tail(self, lines: int = 40) -> str:
        try:
            with self.spec.log.open(errors="replace") as log:
                return "".join(deque(log, maxlen=lines))
        except FileNotFoundError:
            return ""

    def wait_healthy(self, timeout_s: float) -> bool:
        """True when it is healthy; False when the time is over or it was stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._state in ("healthy", "stopped"), timeout=timeout_s)
            return self._state == "healthy"

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def join(self) -> None:
        """Returns when the process is gone: at most the grace time after `ask_to_stop`."""
        self._thread.join()

    def _set(self, state: State, reason: str = "") -> None:
        with self._changed:
            self._state = state
            self.reason = reason
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            crashes = 0
            while not self._stopping.is_set():
                began = time.monotonic()
                was_healthy = self._live_once()
                if self._stopping.is_set():
                    break
                self.restarts += 1
                # Kubernetes forgives after ten minutes without a crash; here it is a healthy spell of some length.
                crashes = 0 if was_healthy and time.monotonic() - began > 20 * self._timing.period_s else crashes + 1
                self._set("restarting", self.reason)
                self._stopping.wait(self._timing.period_s * 2 ** min(crashes, MAX_BACKOFF_STEPS))
        except OSError as error:
            self._note(f"cannot be run: {error}")
            self.reason = str(error)
        finally:
            self._ports.give_back(self.port)
            self._set("stopped", self.reason)

    def _live_once(self) -> bool:
        """From start to end of one child. Returns whether it was ever healthy."""
        fault = self._faults.due_for_container(self.name)
        self._set("starting", "its port is not open yet")
        if fault is not None:
            until = time.monotonic() + fault.effect.delay_s
            while (time.monotonic() < until or self._faults.is_held(fault)) and not self._stopping.wait(0.02):
                pass
        if self._stopping.is_set():
            return False
        env = {**self.spec.env, self.spec.port_variable: str(self.port)}
        command = [expand(word, env) for word in self.spec.command]
        if fault is not None and fault.effect.exit_code is not None:
            code = f"import sys; sys.stderr.write({fault.effect.log!r} + chr(10)); sys.exit({fault.effect.exit_code})"
            command = [sys.executable, "-I", "-S", "-c", code]
        with self._open_log() as log:
            self._note(f"starts {' '.join(command)} on port {self.port}")
            child = self._child = Group(command, cwd=self.spec.cwd, env=env, log=log)
        try:
            return self._watch(child, env, always_unhealthy=fault is not None and fault.effect.unhealthy)
        finally:
            self._end(child)

    def _watch(self, child: Group, env: dict[str, str], *, always_unhealthy: bool) -> bool:
        """Returns when the child has exited, must be restarted or shall stop."""
        probes, self._failures = self.spec.probes, 0
        startup, was_healthy = probes.startup, False
        last_alive, rest = time.monotonic(), 0
        while child.poll() is None and not self._stopping.wait(self._timing.period_s):
            if rest:
                rest -= 1
                continue
            gate = startup or probes.liveness
            problem = self._look(gate, env)
            if problem is None:
                last_alive, startup = time.monotonic(), None
                healthy = self._look_at_health(gate, env, always_unhealthy=always_unhealthy)
                was_healthy = was_healthy or healthy
                rest = CALM_PERIODS - 1 if healthy else 0
            elif time.monotonic() - last_alive > gate.window_s:
                self.reason = f"it was restarted: no answer for {gate.window_s:g} s ({problem})"
                self._note(self.reason)
                return was_healthy
        if child.poll() is not None:
            self.reason = f"it exited with {child.poll()}"
        return was_healthy

    def _look_at_health(self, gate: Probe, env: dict[str, str], *, always_unhealthy: bool) -> bool:
        health = self.spec.probes.health
        problem = None if health is None or health == gate else self._look(health, env)
        if always_unhealthy:
            problem = "a fault was asked for: unhealthy"
        self._failures = 0 if problem is None else self._failures + 1
        if problem is None:
            if self._state != "healthy":
                self._set("healthy")
        elif self._state != "healthy":
            self.reason = problem
        elif self._failures >= HEALTH_FAILURES:
            self._note(f"takes no traffic: {problem}")
            self._set("unhealthy", problem)
        return problem is None

    def _look(self, probe: Probe, env: dict[str, str]) -> str | None:
        return look(probe, port=self.port, env=env, cwd=self.spec.cwd)

    def _end(self, child: Group) -> None:
        self.last_exit = child.end(self._timing.grace_s)
        if child.was_killed:
            self._note(f"did not stop within {self._timing.grace_s:g} s of SIGTERM: killed")
        self._child = None
        self._note(f"ended with {self.last_exit}")

    def _open_log(self) -> IO[bytes]:
        self.spec.log.parent.mkdir(parents=True, exist_ok=True)
        if self.spec.log.exists() and self.spec.log.stat().st_size > MAX_LOG_BYTES:
            self.spec.log.replace(self.spec.log.with_suffix(".1.log"))
        return self.spec.log.open("ab")

    def _note(self, text: str) -> None:
        with self._open_log() as log:
            log.write(f"[localcloud {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}] {self.name} {text}\n".encode())
