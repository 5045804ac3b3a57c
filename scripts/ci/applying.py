"""Applies a sealed folder of plans, stack by stack: exactly the saved plans, nothing that is planned anew.

cdktf cannot apply a saved plan, so Terraform does, in the folders that cdktf has synthesized. A stack that waits for
others cannot have a plan yet, and a stack whose inputs change by this apply has an old one: both are the next round's.
Terraform itself refuses a plan when the state has moved on since.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.machine import terraform_environment

# These grant roles, which the deployer cannot: a person applies them.
FOR_PEOPLE = ("registry", "training")
STALE = "Saved plan is stale"
Runner = Callable[[Path, Sequence[str]], int]


class ApplyRefused(Exception):
    """Nothing was applied; the message says why."""


class ApplyFailed(Exception):
    """A stack could not be applied; those before it were."""


@dataclass(frozen=True)
class SavedPlan:
    """One stack of the folder. changes: of resources or outputs. waits_for: stacks it could not be planned without."""

    stack: str
    file: Path
    changes: bool
    waits_for: tuple[str, ...]


@dataclass(frozen=True)
class Applied:
    """applied, unchanged, waiting: stacks. Another round is due when something waited, or was applied: what comes
    after it may see new values."""

    applied: tuple[str, ...]
    unchanged: tuple[str, ...]
    waiting: tuple[str, ...]

    @property
    def more(self) -> bool:
        return bool(self.waiting) or bool(self.applied)


def saved_plans(folder: Path) -> list[SavedPlan]:
    """In the order of their references."""
    index = json.loads((folder / "plans.json").read_text())
    return [_saved(folder, str(one["name"]), tuple(one["waits_for"])) for one in index["stacks"]]


def _saved(folder: Path, stack: str, waits_for: tuple[str, ...]) -> SavedPlan:
    file, shown = folder / f"{stack}.tfplan", folder / f"{stack}.json"
    document = json.loads(shown.read_text()) if shown.exists() else {}
    # Terraform's own word, where it has one: it counts outputs too.
    changes = bool(document.get("applyable", _any_change(document)))
    return SavedPlan(stack, file, changes and file.exists(), waits_for)


def _any_change(document: dict[str, object]) -> bool:
    resources, outputs = document.get("resource_changes"), document.get("output_changes")
    found = [one["change"] for one in resources] if isinstance(resources, list) else []
    found += list(outputs.values()) if isinstance(outputs, dict) else []
    return any(one["actions"] not in (["no-op"], ["read"]) for one in found)


def apply(folder: Path, synthesized: Path, *, run: Runner | None = None) -> Applied:
    """ApplyRefused before anything is applied; ApplyFailed after a stack that could not be."""
    plans, run = saved_plans(folder), run or _terraform
    people = [one.stack for one in plans if one.stack in FOR_PEOPLE and (one.changes or one.waits_for)]
    if people:
        raise ApplyRefused(
            f"{' and '.join(people)} would change, which grant roles; CI's deployer cannot, on purpose. Somebody who "
            "may applies them: make deploy ENV=…, or cdktf deploy " + " ".join(people)
        )
    applied: list[str] = []
    for one in plans:
        if one.changes and not one.waits_for:
            _apply(one, synthesized / "stacks" / one.stack, run, applied)
            applied.append(one.stack)
    return Applied(
        applied=tuple(applied),
        unchanged=tuple(one.stack for one in plans if not one.changes and not one.waits_for),
        waiting=tuple(one.stack for one in plans if one.waits_for),
    )


def _apply(plan: SavedPlan, stack_dir: Path, run: Runner, applied: list[str]) -> None:
    before = f"Applied before it: {', '.join(applied) or 'nothing'}."
    if run(stack_dir, ["terraform", "init", "-input=false", "-no-color"]):
        raise ApplyFailed(f"terraform init of stack {plan.stack} failed. {before}")
    follow = [sys.executable, "-m", "provider", "progress", "--"]
    apply_it = ["terraform", "apply", "-input=false", "-no-color", "-lock-timeout=60s", str(plan.file.resolve())]
    if run(stack_dir, [*follow, *apply_it]):
        raise ApplyFailed(
            f"terraform apply of stack {plan.stack} failed (its words are above; {STALE!r} means that the state has "
            f"changed since the plan: plan again). {before}"
        )


def _terraform(stack_dir: Path, command: Sequence[str]) -> int:
    from scripts.machine import ROOT

    environment = terraform_environment()
    environment["PYTHONPATH"] = str(ROOT)  # the provider's command is asked for from a stack's folder
    return subprocess.run(command, cwd=stack_dir, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
