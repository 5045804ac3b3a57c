"""A folder of saved plans: what a plan run leaves, and a review reads, be it at once or in another job.

    plans.json        the environment, its stacks in order, what each waits for, who wrote its state
    STACK.tfplan      for `terraform apply`; absent where Terraform could not plan the whole stack
    STACK.json        `terraform show -json` of it
    STACK.txt         the same for people
    STACK.tf.json     what was synthesized
    review.md, .json  the review

Plans hold every value of the state: keep the folder where the state may be kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.plan_review.plan import plans, synthesized
from scripts.plan_review.plan.plans import Output, StackPlan

INDEX = "plans.json"


class PlansMissing(Exception):
    """The folder holds no plans that can be read; the message says what is missing and how to make it."""


@dataclass(frozen=True)
class SavedStack:
    """waits_for: stacks that it cannot be planned without. state_terraform_version: of who wrote its state.

    hints: what the stack itself warned of when it was synthesized.
    """

    name: str
    waits_for: tuple[str, ...] = ()
    state_terraform_version: str = ""
    hints: tuple[str, ...] = ()


def write_index(folder: Path, env: str, stacks: list[SavedStack]) -> None:
    document = {
        "environment": env,
        "stacks": [vars(stack) | {"waits_for": list(stack.waits_for), "hints": list(stack.hints)} for stack in stacks],
    }
    (folder / INDEX).write_text(json.dumps(document, indent=2) + "\n")


def read(folder: Path) -> tuple[str, list[StackPlan]]:
    """The environment, and the stacks in the order of their references. PlansMissing when something is not there."""
    try:
        index = json.loads((folder / INDEX).read_text())
        stacks = [
            SavedStack(**one | {key: tuple(one.get(key, ())) for key in ("waits_for", "hints")})
            for one in index["stacks"]
        ]
        done: list[StackPlan] = []
        for stack in stacks:
            done.append(_stack(folder, stack, {plan.name: plan.outputs for plan in done}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlansMissing(f"{folder} has no plans to review ({error}); run `make plan` first") from None
    return str(index["environment"]), done


def _stack(folder: Path, stack: SavedStack, outputs: Mapping[str, Mapping[str, Output]]) -> StackPlan:
    planned, text = folder / f"{stack.name}.json", folder / f"{stack.name}.txt"
    document: dict[str, Any] = json.loads(planned.read_text()) if planned.exists() else {}
    plan = plans.read(stack.name, document, text=text.read_text() if text.exists() else "")
    if stack.waits_for:
        source = json.loads((folder / f"{stack.name}.tf.json").read_text())
        rest = synthesized.resources(stack.name, source, outputs)
        plan = plans.with_unplanned(plan, rest, stack.waits_for)
        plan = replace(plan, region=plan.region or synthesized.region(source))
    return replace(plan, state_terraform_version=stack.state_terraform_version, hints=stack.hints)
