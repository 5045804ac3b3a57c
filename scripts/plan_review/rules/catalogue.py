"""Every rule of the review, in the order in which what they find is told."""

from __future__ import annotations

from scripts.plan_review.rules import access, data, fit, money, moves, serving
from scripts.plan_review.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    serving.DESTROYED,
    serving.REPLACED,
    serving.ENDPOINT,
    data.DESTROYED,
    access.PUBLIC,
    money.BUDGET,
    fit.MEMORY,
    fit.REGION,
    fit.DIGEST,
    data.LIFTED,
    access.WIDENED,
    money.GROWN,
    money.UNKNOWN,
    moves.VERSION,
    moves.DRIFT,
    serving.REDEPLOYED,
)
BY_ID = {rule.id: rule for rule in RULES}
