"""The deployment that a script works on: its file, and what its stacks put out.

Reads `deployments/<env>.toml` only as far as the local cloud must be started before Terraform;
the checks of the whole file are `cdk.config`'s.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.local_cloud import LocalCloud
from scripts.machine import ROOT, MachineUnfit, terraform_environment


@dataclass(frozen=True)
class Deployment:
    """One environment, by name."""

    env: str

    @property
    def path(self) -> Path:
        return ROOT / "deployments" / f"{self.env}.toml"

    @property
    def state_dir(self) -> Path:
        return ROOT / ".flanstack" / "state" / self.env

    def local_cloud(self) -> LocalCloud:
        """The local cloud that this deployment's API calls go to.

        MachineUnfit: the file names no `google.api_endpoint`, so it is for Google's own cloud.
        """
        google = tomllib.loads(self.path.read_text())["google"]
        url = google.get("api_endpoint")
        if not url:
            raise MachineUnfit(
                f"{self.path.relative_to(ROOT)} has no google.api_endpoint: it deploys to Google Cloud. "
                f"Use `make deploy ENV={self.env}` and `make destroy ENV={self.env}`."
            )
        return LocalCloud(url=url, project=google["project"], project_number=str(google["project_number"]))

    def outputs(self, stack: str) -> dict[str, Any]:
        """The stack's Terraform outputs by name; empty when it was never synthesized or applied.

        cdktf's own cross-stack outputs are left out.
        """
        folder = ROOT / "cdktf.out" / "stacks" / stack
        if not folder.exists():
            return {}
        out = subprocess.run(
            ["terraform", f"-chdir={folder}", "output", "-json"],
            capture_output=True,
            text=True,
            env=terraform_environment(),
            check=False,
        )
        if out.returncode:
            return {}
        values = json.loads(out.stdout or "{}")
        return {name: entry["value"] for name, entry in values.items() if not name.startswith("cross-stack-output")}

    def resources(self) -> int:
        """How many resources the local state files hold, over all stacks."""
        count = 0
        for path in sorted(self.state_dir.glob("*.tfstate")):
            state = json.loads(path.read_text() or "{}")
            managed = (entry for entry in state.get("resources", []) if entry["mode"] == "managed")
            count += sum(len(entry["instances"]) for entry in managed)
        return count
