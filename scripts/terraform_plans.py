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
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
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


class PlanFailed(Exception):
    """Terraform could not plan a stack; the message has the stack and Terraform's words."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one stack's plan, by step."""

    stack: str
    init_s: float
    plan_s: float
    show_s: float


def plan_stacks(synthesized: Path, folder: Path, *, env: str, destroyed: Collection[str] = ()) -> list[Timing]:
    """Plans every stack of a cdktf output folder and saves what a review needs. PlanFailed for the first that fails.

    folder: emptied first, so that a stack which is gone leaves nothing. destroyed: stacks to plan the end of.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = stack_names(synthesized)
    if strange := sorted(set(destroyed) - set(names)):
        raise PlanFailed(f"--destroy: got {', '.join(strange)}; the stacks are {', '.join(names)}")
    # One after the other: an init writes into the plugin cache that the stacks share, and a plan reads from it.
    inits = {name: _init(synthesized / "stacks" / name) for name in names}
    with ThreadPoolExecutor(len(names)) as pool:
        done = list(
            pool.map(lambda name: _plan(synthesized / "stacks" / name, folder, destroy=name in destroyed), names)
        )
    hints = _hints(synthesized)
    write_index(folder, env, [replace(stack, hints=hints[stack.name]) for stack, _ in done])
    return [replace(timing, init_s=inits[timing.stack]) for _, timing in done]


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


def _hints(synthesized: Path) -> dict[str, tuple[str, ...]]:
    """What each stack warned of; cdktf's own command line would show it."""
    stacks: dict[str, Any] = json.loads((synthesized / "manifest.json").read_text())["stacks"]
    return {name: tuple(one["message"] for one in stack.get("annotations", [])) for name, stack in stacks.items()}


def _init(stack_dir: Path) -> float:
    """Returns the seconds that it took. PlanFailed when it fails."""
    started = time.monotonic()
    out = _terraform(stack_dir, "init", "-input=false", "-no-color")
    if out.returncode:
        raise PlanFailed(f"terraform init of stack {stack_dir.name}:\n{_said(out)}")
    return time.monotonic() - started


def _plan(stack_dir: Path, folder: Path, *, destroy: bool) -> tuple[SavedStack, Timing]:
    name = stack_dir.name
    started = time.monotonic()
    shutil.copy(stack_dir / "cdk.tf.json", folder / f"{name}.tf.json")
    file = (folder / f"{name}.tfplan").resolve()
    options = ["-input=false", "-no-color", "-lock-timeout=60s", f"-out={file}", *(["-destroy"] if destroy else [])]
    planned = _terraform(stack_dir, "plan", *options)
    said, ended = _said(planned), time.monotonic()
    waits_for = _waits_for(said) if planned.returncode else ()
    if planned.returncode and not waits_for:
        raise PlanFailed(f"terraform plan of stack {name}:\n{said[max(said.find('Error: '), 0) :]}")
    if file.exists():
        shown = _terraform(stack_dir, "show", "-json", str(file))
        if shown.returncode:
            raise PlanFailed(f"terraform show of stack {name}:\n{_said(shown)}")
        (folder / f"{name}.json").write_text(shown.stdout)
    if waits_for:
        file.unlink(missing_ok=True)  # a part of a stack must not be applied as if it were the whole
    begins = _BEGINS.search(said)
    (folder / f"{name}.txt").write_text(said[begins.start() :] if begins else said)
    timing = Timing(name, 0.0, ended - started, time.monotonic() - ended)
    return SavedStack(name, waits_for, _state_version(stack_dir)), timing


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
