"""What every service of the local cloud is given: the state, the clock of its operations, its processes.

A service is a module with `router(cloud) -> APIRouter` and, when it has work to do of its own,
`register(cloud) -> None`, which registers its kinds of operation and appends to `cloud.starters` what
must run again after a restart. Knows no service and no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.faults import Faults
from localcloud.images.store import ImageStore
from localcloud.journal import Journal
from localcloud.monitoring.predictions import PredictionLog
from localcloud.operations import Operations
from localcloud.projects import Projects
from localcloud.runtime.supervisor import Supervisor
from localcloud.runtime.task import Tasks
from localcloud.store import Store

# Called once each when the local cloud starts, after every `register` and before unfinished operations resume.
Starter = Callable[[], None]


@dataclass(frozen=True)
class LocalCloud:
    """One running local cloud. Built in `localcloud.app`; services keep it, and nothing else."""

    store: Store
    operations: Operations
    projects: Projects
    images: ImageStore
    supervisor: Supervisor
    tasks: Tasks
    faults: Faults
    journal: Journal
    predictions: PredictionLog
    data_dir: Path
    base_url: str  # "http://127.0.0.1:8700"
    dedicated_url: str  # "http://127.0.0.1:8701": the domain of dedicated endpoints
    stage_seconds: float  # how long each stage of an operation takes
    ready_timeout_s: float = 600.0  # the longest from a replica's start to its first healthy answer
    port_window_s: float = 40.0  # how long a replica may take to open its port before it is restarted
    starters: list[Starter] = field(default_factory=list)

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def metadata_host(self) -> str:
        """GCE_METADATA_HOST of every container."""
        return self.base_url.partition("://")[2]
