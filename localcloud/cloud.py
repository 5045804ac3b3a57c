"""What every service of the local cloud is handed: store, operations, images, processes, addresses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localcloud.faults import Faults
from localcloud.images.store import ImageStore
from localcloud.journal import Journal
from localcloud.operations import Operations
from localcloud.projects import Projects
from localcloud.runtime.supervisor import Supervisor
from localcloud.store import Store


@dataclass(frozen=True)
class LocalCloud:
    """One local cloud. base_url: every API; dedicated_url: the domain of dedicated endpoints."""

    store: Store
    operations: Operations
    projects: Projects
    images: ImageStore
    supervisor: Supervisor
    faults: Faults
    journal: Journal
    data_dir: Path
    base_url: str
    dedicated_url: str
    stage_seconds: float
