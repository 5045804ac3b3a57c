"""Whether this machine has room: free disk, and the ports that a local cloud listens on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from cdk.config import ROOT, DeploymentConfig
from scripts.doctor.finding import Finding, failure, ok, warning
from scripts.google_api import GoogleApi
from scripts.local_cloud import LocalCloud
from scripts.machine import RUN_DISK_GB, port_is_taken

COMFORTABLE_GB = 2.0


def disk(*, folder: Path = ROOT) -> Iterator[Finding]:
    free_gb = shutil.disk_usage(folder).free / 1e9
    text, cure = f"{free_gb:.1f} GB free at {folder}", "Free some, or clone onto another disk."
    if free_gb < RUN_DISK_GB:
        yield failure("disk", f"{text}; {RUN_DISK_GB:g} GB are needed", cure)
    elif free_gb < COMFORTABLE_GB:
        yield warning("disk", f"{text}; {COMFORTABLE_GB:g} GB are comfortable", cure)
    else:
        yield ok("disk", text)


def ports(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    """The local cloud's two; a deployment to Google Cloud listens nowhere here."""
    google = config.google
    if not api.is_local:
        yield ok("ports", "none are needed here")
        return
    cloud = LocalCloud(str(google.api_endpoint), google.project, google.project_number)
    both = (cloud.port, cloud.port + 1)
    status = cloud.status()
    if status is not None:
        whose = "ours" if cloud.is_ours(status) else f"that of {status['data_dir']}"
        yield ok("ports", f"{both[0]} and {both[1]}: a local cloud listens, {whose}")
        return
    taken = [port for port in both if port_is_taken(port)]
    for port in taken:
        cure = f"Stop it (`ss -ltnp 'sport = :{port}'` names it), or change google.api_endpoint in the deployment file."
        yield failure("ports", f"{port} on 127.0.0.1 is in use by another program", cure)
    if not taken:
        yield ok("ports", f"{both[0]} and {both[1]} are free")
