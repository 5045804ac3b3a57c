"""A receipt for machines: the same as its text, as one JSON object. None is unknown."""

from __future__ import annotations

from typing import Any

from scripts.destroy.billable import Billable
from scripts.destroy.receipt import Receipt


def receipt_document(receipt: Receipt, *, back: str = "") -> dict[str, Any]:
    return {
        "env": receipt.env,
        "stack": receipt.scope,
        "at": receipt.at.isoformat(timespec="seconds"),
        "ended": [_row(one, receipt) for one in receipt.ended],
        "cost_usd": round(receipt.cost_usd, 4),
        "remaining": [_row(one, receipt) for one in receipt.remaining],
        "remaining_usd_per_hour": round(receipt.remaining_usd_per_hour, 4),
        "not_known_before": receipt.not_seen_before,
        "not_known": receipt.not_seen,
        "nothing_remains": receipt.is_clean,
        "way_back": back,
    }


def _row(one: Billable, receipt: Receipt) -> dict[str, Any]:
    hours, cost = one.hours(receipt.at), one.cost(receipt.at)
    return {
        "kind": one.kind,
        "name": one.name,
        "since": one.since.isoformat() if one.since else None,
        "hours": None if hours is None else round(hours, 4),
        "usd_per_hour": one.price.usd_per_hour,
        "cost_usd": None if cost is None else round(cost, 4),
        "basis": one.price.basis,
        "remove": one.remove,
    }
