"""What a plan review asks a person for: the values of a deployment file's `[review]`.

Knows neither the rules nor plans; `scripts/plan_review/` has both, and refuses the name of a rule that does not exist.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cdk.fields import Frozen, matching

RuleId = Annotated[str, matching(r"[a-z]+(-[a-z]+)*", "a rule's name, such as public-access")]
Label = Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9:._/-]{0,49}", "a pull request's label, such as allow-destroy")]


class RulePolicy(Frozen):
    """severity: in place of the rule's own; `off` drops what it finds. allowed_by: label or flag that allows it."""

    severity: Literal["off", "low", "medium", "high"] | None = None
    allowed_by: Label | None = None


class Review(Frozen):
    """budget_usd_per_day: what the deployment may cost, all replicas up. needs_approval: from this severity on."""

    budget_usd_per_day: float | None = Field(None, gt=0)
    needs_approval: Literal["low", "medium", "high"] = "high"
    rules: dict[RuleId, RulePolicy] = Field(default_factory=dict)
