"""What was changed outside Terraform, without what changes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.plan_review.plan.plans import Action, StackPlan
from scripts.plan_review.plan.values import differences, is_configured


@dataclass(frozen=True)
class Drift:
    """rows: path, what the state has, what was found. is_undone: this plan puts it back."""

    address: str
    rows: tuple[tuple[str, str, str], ...]
    is_gone: bool
    is_undone: bool


def drifted(plan: StackPlan) -> Iterator[Drift]:
    """Resources that are gone, or that differ in what the stack sets.

    The rest is Google's own business: an etag, a time, the models that show on an endpoint after it was made.
    """
    planned = {change.address: change for change in plan.changes}
    for change in plan.drift:
        now = planned.get(change.address)
        if change.action is Action.DESTROY:
            yield Drift(change.address, (), is_gone=True, is_undone=now is not None and now.arrives)
            continue
        rows = tuple((row.path, row.old, row.new) for row in differences(change) if is_configured(change, row.path))
        if rows:
            undone = now is not None and now.action in (Action.CHANGE, Action.REPLACE)
            yield Drift(change.address, rows, is_gone=False, is_undone=undone)
