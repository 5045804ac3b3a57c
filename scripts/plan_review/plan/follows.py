"""What will change once a stack is applied, and no plan shows yet.

Each stack is planned against the outputs that the stacks before it have now. Where such an output gets another value,
whoever takes it changes too, but Terraform sees that only after the first apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.plan_review.plan.plans import Action, Change, StackPlan
from scripts.plan_review.plan.values import UNKNOWN, told


@dataclass(frozen=True)
class Follow:
    """`change`: the resource as it is planned now. attribute: what gets `new` when `stack` has been applied."""

    change: Change
    attribute: str
    stack: str
    new: str


def follows(plans: Sequence[StackPlan]) -> tuple[Follow, ...]:
    """One for each attribute that takes an output which changes, of resources that exist and stay."""
    outputs = {plan.name: plan.outputs for plan in plans}
    found = {
        (change.address, reference.attribute): Follow(
            change, reference.attribute, reference.stack, _new(output.unknown)
        )
        for plan in plans
        for change in plan.changes
        if change.before is not None and change.action in (Action.NONE, Action.CHANGE)
        for reference in change.references
        if (output := outputs.get(reference.stack, {}).get(reference.output)) is not None
        if output.changes and output.before is not None and _may_differ(change, reference.attribute)
    }
    return tuple(found.values())


def _may_differ(change: Change, attribute: str) -> bool:
    """Not when the stack's own plan shows the attribute's change already."""
    if change.action is Action.NONE:
        return True
    return (change.before or {}).get(attribute) == (change.after or {}).get(attribute)


def _new(unknown: bool) -> str:
    # A known new value is still another stack's, which marks what it passes on as sensitive.
    return UNKNOWN if unknown else told("another value")
