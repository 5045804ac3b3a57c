"""Every knob of `python -m localcloud serve`, checked once. Knows nothing of what is served."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8700
DEFAULT_DATA = Path(".flanstack/localcloud")


@dataclass(frozen=True)
class ServeConfig:
    """How one local cloud is run. Times are seconds.

    dedicated_port: the domain of dedicated endpoints; by default the port after `port`.
    project_numbers: of project ids; others get a number derived from the id.
    stage_seconds: how long each stage of an operation takes.
    probe_period_s: between two looks at a container; stands for Vertex AI's 10 s.
    port_window_s: how long a container may take to open its port before it is restarted (Vertex AI: 4 x 10 s).
    ready_timeout_s: how long a deployment waits for a healthy container; a shorter deploymentTimeout wins.
    grace_s: from SIGTERM to SIGKILL.
    """

    port: int = DEFAULT_PORT
    dedicated_port: int = 0
    data_dir: Path = DEFAULT_DATA
    project_numbers: dict[str, str] = field(default_factory=dict)
    stage_seconds: float = 0.2
    probe_period_s: float = 0.5
    port_window_s: float = 40.0
    ready_timeout_s: float = 600.0
    grace_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.dedicated_port:
            object.__setattr__(self, "dedicated_port", self.port + 1)
        self._check_ports()
        for name, least in (("probe_period_s", 0.01), ("port_window_s", 0.1), ("ready_timeout_s", 0.1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least:g} s, got {getattr(self, name):g}")
        if min(self.stage_seconds, self.grace_s) < 0:
            raise ValueError(f"times must not be negative, got {self.stage_seconds:g} and {self.grace_s:g}")
        for project, number in self.project_numbers.items():
            if not number.isdigit():
                raise ValueError(f"the number of project {project} must be digits, got {number!r}")

    def _check_ports(self) -> None:
        for name in ("port", "dedicated_port"):
            if not 1 <= getattr(self, name) <= 65535:
                raise ValueError(f"{name} must be between 1 and 65535, got {getattr(self, name)}")
        if self.port == self.dedicated_port:
            raise ValueError(f"port and dedicated_port must differ, got {self.port} for both")

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def dedicated_url(self) -> str:
        return f"http://{LOOPBACK}:{self.dedicated_port}"
