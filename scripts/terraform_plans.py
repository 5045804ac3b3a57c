"""Terraform's plan of every stack: synthesized once, planned side by side, saved in a folder.

Each stack is planned against what the stacks before it have put out so far; on a first deployment that is nothing, and
the stack is left waiting, which is no failure. Knows nothing of what the plans say.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from scripts.machine import terraform_environment
from scripts.plan_review.saved import SavedStack, write_index

_BEGINS = re.compile(
    r"^(Terraform used the selected providers|No changes\.|Changes to Outputs|.*Planning failed)", re.M
)
_ERROR = re.compile(r"^Error: ", re.M)
# What Terraform says of a reference to a stack that has not been applied, or not in this form yet.
_WAITS = re.compile(r"Unable to find remote state|Unsupported attribute|does not have an attribute named")
_STACK = re.compile(r"cross-stack-reference-input-([\w-]+)")

# One at a time: the plugin cache that the stacks share is not safe for two.
_INIT = Lock()


class PlanFailed(Exception):
    """Terraform could not plan a stack; the message has the stack and Terraform's words."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one stack's plan, by step."""

    stack: str
    init_s: float
    plan_s: float
    show_s: float


def plan_stacks(synthesized: Path, folder: Path, *, env: str) -> list[Timing]:
    """Plans every stack of a cdktf output folder and saves what a review needs. PlanFailed for the first that fails.

    folder: emptied first, so that a stack which is gone leaves nothing.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = stack_names(synthesized)
    with ThreadPoolExecutor(len(names)) as pool:
        done = list(pool.map(lambda name: _plan(synthesized / "stacks" / name, folder, name), names))
    write_index(folder, env, [stack for stack, _ in done])
    return [timing for _, timing in done]


def stack_names(synthesized: Path) -> list[str]:
    """The stacks in the order of their references."""
    manifest: dict[str, Any] = json.loads((synthesized / "manifest.json").read_text())
    waiting = {name: set(stack.get("dependencies", [])) for name, stack in manifest["stacks"].items()}
    order: list[str] = []
    while waiting:
        ready = [name for name, needs in waiting.items() if needs <= set(order)]
        order += ready or list(waiting)
        waiting = {name: needs for name, needs in waiting.items() if name not in order}
    return order


def _plan(stack_dir: Path, folder: Path, name: str) -> tuple[SavedStack, Timing]:
    started = time.monotonic()
    state_version = _state_version(stack_dir)
    shutil.copy(stack_dir / "cdk.tf.json", folder / f"{name}.tf.json")
    with _INIT:
        init = _terraform(stack_dir, "init", "-input=false", "-no-color")
    if init.returncode:
        raise PlanFailed(f"terraform init of stack {name}:\n{_said(init)}")
    ready = time.monotonic()
    file = (folder / f"{name}.tfplan").resolve()
    planned = _terraform(stack_dir, "plan", "-input=false", "-no-color", "-lock-timeout=60s", f"-out={file}")
    said, ended = _said(planned), time.monotonic()
    waits_for = _waits_for(said) if planned.returncode else ()
    if planned.returncode and not waits_for:
        raise PlanFailed(f"terraform plan of stack {name}:\n{said[said.find('Error: ') :]}")
    if file.exists():
        shown = _terraform(stack_dir, "show", "-json", str(file))
        if shown.returncode:
            raise PlanFailed(f"terraform show of stack {name}:\n{_said(shown)}")
        (folder / f"{name}.json").write_text(shown.stdout)
    if waits_for:
        file.unlink(missing_ok=True)  # a part of a stack must not be applied as if it were the whole
    begins = _BEGINS.search(said)
    (folder / f"{name}.txt").write_text(said[begins.start() :] if begins else said)
    timing = Timing(name, ready - started, ended - ready, time.monotonic() - ended)
    return SavedStack(name, waits_for, state_version), timing


def _waits_for(said: str) -> tuple[str, ...]:
    """The stacks that are missing, when every error is that one of them is; else none."""
    errors = _ERROR.split(said)[1:]
    if not errors or not all(_WAITS.search(error) and _STACK.search(error) for error in errors):
        return ()
    return tuple(sorted({found for error in errors for found in _STACK.findall(error)}))


def _state_version(stack_dir: Path) -> str:
    """The Terraform that wrote the stack's state, where the state is a file: Terraform itself does not tell."""
    backend = json.loads((stack_dir / "cdk.tf.json").read_text())["terraform"]["backend"]
    path = stack_dir / backend.get("local", {}).get("path", "")
    if "local" not in backend or not path.is_file():
        return ""
    return str(json.loads(path.read_text() or "{}").get("terraform_version", ""))


def _terraform(stack_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", *arguments],
        cwd=stack_dir,  # with -chdir Terraform would not look into the stack's own terraform.d/plugins
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=terraform_environment(),
        check=False,
    )


def _said(out: subprocess.CompletedProcess[str]) -> str:
    return out.stdout + out.stderr
