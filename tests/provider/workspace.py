"""A folder with one configuration, in which real Terraform runs as a user would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Workspace:
    """A folder with one configuration; Terraform runs in it as a user would run it."""

    def __init__(self, folder: Path, environment: dict[str, str], settings: dict[str, object]) -> None:
        self.folder, self.settings = folder, settings
        self.progress_file = folder / "progress.jsonl"
        self.environment = environment | {"FLANSTACK_PROGRESS_FILE": str(self.progress_file)}

    def write(self, *, provider: dict[str, object] | None = None, **resources: object) -> Workspace:
        """resources: by type without `vertex_`, each the one resource `this`. provider: settings that differ."""
        document = {
            "provider": {"vertex": self.settings | (provider or {})},
            "resource": {f"vertex_{kind}": {"this": body} for kind, body in resources.items()},
        }
        text = json.dumps({key: value for key, value in document.items() if value})
        (self.folder / "main.tf.json").write_text(text)
        return self

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["terraform", *arguments, "-no-color"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, check: bool = True) -> str:
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        assert not (check and process.returncode), f"terraform {' '.join(arguments)}\n{output}"
        return output

    def refused(self, *arguments: str) -> str:
        """What a command says that must fail, Terraform's frame and line breaks taken out."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1, output
        return " ".join(line.strip("│╷╵ ") for line in output.splitlines() if line.strip("│╷╵ "))

    def apply(self, *arguments: str) -> str:
        return self.run("apply", "-auto-approve", "-input=false", *arguments)

    def destroy(self) -> str:
        return self.run("destroy", "-auto-approve", "-input=false")

    def plan(self, *arguments: str) -> dict[str, Any]:
        """The planned changes, by resource type without `vertex_`."""
        self.run("plan", "-input=false", "-out=plan", *arguments)
        shown = json.loads(self.run("show", "-json", "plan"))
        changes = {one["type"].removeprefix("vertex_"): one["change"] for one in shown.get("resource_changes", [])}
        return {kind: change for kind, change in changes.items() if change["actions"] != ["no-op"]}

    def actions(self) -> dict[str, str]:
        """What a plan would do, by resource type: create, update, replace or delete. Half as long as `plan`."""
        lines = [json.loads(line) for line in self.run("plan", "-input=false", "-json").splitlines()]
        changes = [line["change"] for line in lines if line["type"] == "planned_change"]
        return {one["resource"]["resource_type"].removeprefix("vertex_"): one["action"] for one in changes}

    def is_unchanged(self) -> bool:
        """Whether a plan is empty; when it is not, the test's output shows it."""
        process = self.start("plan", "-input=false", "-detailed-exitcode")
        output, _ = process.communicate(timeout=60)
        sys.stdout.write(output)
        return process.returncode == 0

    def state(self) -> dict[str, Any]:
        """The resources' attributes, by type without `vertex_`; `tainted` tells which are."""
        path = self.folder / "terraform.tfstate"
        resources = json.loads(path.read_text())["resources"] if path.exists() else []
        found = {one["type"].removeprefix("vertex_"): one["instances"][0] for one in resources}
        return {kind: one["attributes"] | {"tainted": one.get("status") == "tainted"} for kind, one in found.items()}

    def wait_for_phase(self, phase: str) -> None:
        wait_for(lambda: phase in self.phases())

    def phases(self) -> list[str]:
        if not self.progress_file.exists():
            return []
        return [json.loads(line)["phase"] for line in self.progress_file.read_text().splitlines()]


def wait_for(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """The first true result of the condition."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    pytest.fail(f"not within {timeout_s:g} s")


def terraform_environment() -> dict[str, str]:
    dropped = ("TF_", "GOOGLE_", "FLANSTACK_PROGRESS")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return kept | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
