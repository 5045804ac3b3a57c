"""Amounts as text, the same in every rendering."""

from __future__ import annotations

from scripts.plan_review.cost.amounts import Cost, Once
from scripts.plan_review.plan.values import NOTHING


def usd(cost: Cost | None, *, digits: int = 2) -> str:
    """One cost: an amount, a range from rest to everything busy, `unknown`, or what using it costs."""
    if cost is None:
        return NOTHING
    amount = f"{cost.low:,.{digits}f}"
    if f"{cost.high:,.{digits}f}" != amount:
        amount = f"{amount} to {cost.high:,.{digits}f}"
    if cost.unknown:
        return "unknown" if not cost.high else f"{amount} and what is unknown"
    if cost.by_use and not cost.high:
        return "by use"
    return amount


def once(one: Once) -> str:
    return "unknown" if one.usd is None else f"at most {one.usd:,.2f}"
