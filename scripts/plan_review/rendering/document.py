"""The review as JSON for machines. Its schema is docs/plan-review.schema.json; a field is added, never changed."""

from __future__ import annotations

import json
from typing import Any

from scripts.plan_review.cost.amounts import Cost
from scripts.plan_review.review import Review

SCHEMA = "flanstack/plan-review/1"


def render(review: Review) -> str:
    return json.dumps(as_document(review), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def as_document(review: Review) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "environment": review.env,
        "status": review.status,
        "verdict": review.verdict,
        "counts": vars(review.counts),
        "cost": _cost(review),
        "risks": _risks(review),
        "changes": _changes(review),
        "follows": _follows(review),
        "drift": _drift(review),
        "model_versions": _model_versions(review),
        "stacks": [
            {"stack": text.stack, "summary": text.summary, "waits_for": list(text.waits_for), "hints": list(text.hints)}
            for text in review.texts
        ],
    }


def _changes(review: Review) -> list[dict[str, Any]]:
    return [
        {
            "stack": row.stack,
            "address": row.address,
            "what": row.what,
            "happens": row.happens,
            "attributes": [vars(one) for one in row.rows],
        }
        for row in review.rows
    ]


def _follows(review: Review) -> list[dict[str, Any]]:
    return [
        {
            "stack": one.change.stack,
            "address": one.change.address,
            "attribute": one.attribute,
            "after": one.stack,
            "happens": consequence,
        }
        for one, consequence in review.follows
    ]


def _drift(review: Review) -> list[dict[str, Any]]:
    return [
        {
            "stack": stack,
            "address": one.address,
            "gone": one.is_gone,
            "put_back": one.is_undone,
            "attributes": [{"path": path, "old": old, "new": new} for path, old, new in one.rows],
        }
        for stack, one in review.drift
    ]


def _model_versions(review: Review) -> list[dict[str, Any]]:
    return [
        {
            "stack": one.stack,
            "address": one.address,
            "labels": [{"label": key, "old": old, "new": new} for key, old, new in one.rows],
            "rule": one.rule,
            "verdict": one.verdict,
        }
        for one in review.promotions
    ]


def _cost(review: Review) -> dict[str, Any]:
    bill = review.bill
    return {
        "currency": "USD",
        "prices_dated": bill.dated,
        "per_hour": {"before": _amount(bill.before), "after": _amount(bill.after)},
        "per_day": {"before": _amount(bill.before.per_day), "after": _amount(bill.after.per_day)},
        "per_month": {"before": _amount(bill.before.per_month), "after": _amount(bill.after.per_month)},
        "resources": [
            {
                "stack": line.stack,
                "address": line.address,
                "what": line.what,
                "before": _amount(line.before),
                "after": _amount(line.after),
                "note": line.note,
                "source": line.source,
            }
            for line in bill.lines
        ],
        "once": [
            {"stack": one.stack, "address": one.address, "at_most": _rounded(one.usd), "what": one.what}
            for one in bill.once
        ],
    }


def _risks(review: Review) -> list[dict[str, Any]]:
    return [
        {
            "rule": one.rule.id,
            "severity": str(one.severity),
            "stack": one.hit.stack,
            "address": one.hit.address,
            "what": one.hit.what,
            "reason": one.rule.reason,
            "cure": one.rule.cure,
            "allowed_by": one.allowed_by,
            "allowed": one.is_allowed,
            "needs_approval": one.needs_approval,
        }
        for one in review.findings
    ]


def _amount(cost: Cost | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    return {"low": _rounded(cost.low), "high": _rounded(cost.high), "unknown": cost.unknown, "by_use": cost.by_use}


def _rounded(usd: float | None) -> float | None:
    """Six digits: the last bits of a sum are nobody's."""
    return None if usd is None else round(usd, 6)
