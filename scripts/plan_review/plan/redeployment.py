"""Whether a deployed model is deployed anew, and how: for Terraform most of it is a plain update.

`vertex_endpoint_deployed_model` takes every change but of `endpoint` and `track` in an update: a new one is deployed,
asked and given the traffic before the old one goes (docs/decisions/0008-a-replacement-is-an-update.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scripts.plan_review.plan.follows import Follow
from scripts.plan_review.plan.plans import Action, Change
from scripts.plan_review.plan.values import block

TYPE = "vertex_endpoint_deployed_model"
# What Google cannot change in a deployed model, as `provider/deployed_model/document.py` has it.
IMMUTABLE = ("model", "display_name", "service_account", "enable_access_logging")
IMMUTABLE_RESOURCES = ("machine_spec", "spot")


@dataclass(frozen=True)
class Redeployment:
    """why: the attributes that ask for it. beside: the old one serves, and costs, until the new one does."""

    why: tuple[str, ...]
    beside: bool


def redeployment(change: Change, followed: Sequence[Follow]) -> Redeployment | None:
    """None when what serves stays, or is destroyed, or when there was nothing."""
    if change.type != TYPE or change.before is None or change.after is None:
        return None
    if change.action is Action.REPLACE:
        return Redeployment(change.replaced_by, beside=False)
    before, after = change.before, change.after
    why = [key for key in IMMUTABLE if _differ(before.get(key), after.get(key))]
    old, new = block(before, "dedicated_resources"), block(after, "dedicated_resources")
    why += [f"dedicated_resources.{key}" for key in IMMUTABLE_RESOURCES if _differ(old.get(key), new.get(key))]
    why += [follow.attribute for follow in followed if follow.change.address == change.address]
    if not why:
        return None
    return Redeployment(tuple(dict.fromkeys(why)), beside=after.get("strategy") != "recreate")


def _differ(old: Any, new: Any) -> bool:
    """Null, false and empty mean the same to Google."""
    return bool((old or None) != (new or None))
