"""What became of each combination, and the page that says so."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.provider.local_cloud import PARENT, ROOT, Cloud

MARK = "<!-- Below: written by `make fault-campaign`. -->\n"
HEAD = "| phase | fault | the run that met it | what it said | the next run |\n|---|---|---|---|---|\n"


@dataclass
class Ledger:
    """The rows of those that were healed; begun: how many there were."""

    rows: list[list[str]] = field(default_factory=list)
    begun: int = 0
    started: float = field(default_factory=time.monotonic)

    def write(self, page: Path, left: dict[str, list[str]]) -> None:
        """Writes what follows the mark; what stands before it stays."""
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        seconds = time.monotonic() - self.started
        told = (
            f"{len(self.rows)} of {self.begun} combinations were healed by the next run, in {seconds:.0f} s "
            f"(commit {commit.stdout.strip()}, {os.cpu_count()} cores, Python {platform.python_version()}, load "
            f"{os.getloadavg()[2]:.1f}).\n"
        )
        kinds = ", ".join(f"{kind} {len(found)}" for kind, found in left.items())
        table = "".join(f"| {' | '.join(row)} |\n" for row in self.rows)
        prose = page.read_text().partition(MARK)[0]
        page.write_text(f"{prose}{MARK}{told}Left over at the end: {kinds}.\n\n{HEAD}{table}")


def left_over(cloud: Cloud) -> dict[str, list[str]]:
    """What the campaign must not leave in the cloud, by kind. Its endpoints and the images of its jobs are scenery."""
    endpoints = cloud.call("GET", f"/v1/{PARENT}/endpoints?pageSize=1000").get("endpoints", [])
    models = cloud.call("GET", f"/v1/{PARENT}/models?pageSize=1000").get("models", [])
    status = cloud.call("GET", "/localcloud/status")
    builds = cloud.call("GET", f"/v1/{PARENT}/builds?pageSize=1000").get("builds", [])
    jobs = cloud.call("GET", f"/v1/{PARENT}/customJobs?pageSize=1000").get("customJobs", [])
    packages = f"/v1/{PARENT}/repositories/campaign/dockerImages"
    return {
        "deployed models": [one["id"] for endpoint in endpoints for one in endpoint.get("deployedModels", [])],
        "models": [one["name"] for one in models if "/campaign-" in one["name"]],
        "jobs": [one["name"] for one in jobs],
        "builds that run": [one["id"] for one in builds if one["status"] in ("QUEUED", "PENDING", "WORKING")],
        "images": [one["name"] for one in cloud.call("GET", packages).get("dockerImages", [])],
        "processes": [one["name"] for one in status["processes"]],
    }
