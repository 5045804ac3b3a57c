"""What is proposed: the plans of all stacks, what follows from them, what it costs, and the deployment's file.

The one thing that rules look at. Composes; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from cdk.config import DeploymentConfig
from scripts.plan_review.cost.amounts import Bill
from scripts.plan_review.cost.bill import bill
from scripts.plan_review.plan.follows import Follow, follows
from scripts.plan_review.plan.plans import Action, Change, StackPlan


@dataclass(frozen=True)
class Proposal:
    """plans: in the order in which the stacks are applied."""

    plans: tuple[StackPlan, ...]
    follows: tuple[Follow, ...]
    bill: Bill
    config: DeploymentConfig

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What Terraform will do, without what stays."""
        return tuple(change for plan in self.plans for change in plan.changes if change.action is not Action.NONE)

    @cached_property
    def resources(self) -> tuple[Change, ...]:
        """Everything, whether it changes or not."""
        return tuple(change for plan in self.plans for change in plan.changes)

    def of_type(self, *types: str) -> Iterator[Change]:
        return (change for change in self.resources if change.type in types)

    def stack(self, name: str) -> StackPlan:
        return next(plan for plan in self.plans if plan.name == name)


def propose(plans: Sequence[StackPlan], config: DeploymentConfig) -> Proposal:
    followed = follows(plans)
    return Proposal(tuple(plans), followed, bill(plans, followed, config), config)
