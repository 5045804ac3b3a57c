"""A receipt for people: what ran, how long and for how much; what remains, each with the command that removes it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime

from cdk.config import DeploymentConfig
from cdk.prices.table import table
from scripts.destroy.billable import Billable
from scripts.destroy.receipt import Receipt

WIDTH = 100


def lasted(hours: float | None) -> str:
    """`4 min`, `26 h 12 min`, `12 days 3 h`."""
    if hours is None:
        return "not known"
    minutes = round(hours * 60)
    if minutes < 1:
        return "under 1 min"
    if minutes < 60:
        return f"{minutes} min"
    if hours < 72:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{int(hours // 24)} days {int(hours % 24)} h"


def money(usd: float | None) -> str:
    if usd is None:
        return "unknown"
    return "under 0.01" if 0 < usd < 0.01 else f"{usd:,.2f}"


def receipt_text(receipt: Receipt, config: DeploymentConfig, *, back: str = "") -> str:
    scope = f"stack {receipt.scope}" if receipt.scope else "all stacks"
    google = config.google
    where = f"project {google.project}, {google.region}" + (
        f", at {google.api_endpoint}" if google.api_endpoint else ""
    )
    lines = [f"Receipt for {receipt.env} ({scope}; {where}), {receipt.at:%Y-%m-%d %H:%M} UTC", ""]
    lines += _ran(receipt)
    if google.api_endpoint and receipt.ended:
        lines += ["  These are Google Cloud's prices; the stand-in itself costs nothing.", ""]
    lines += _remains(receipt)
    if config.terraform.state_bucket:
        lines += ["", f"  Kept on purpose: gs://{config.terraform.state_bucket}, Terraform's state (cents a month)."]
    if back:
        lines += ["", *_folded(f"The way back, `make deploy ENV={receipt.env}`: {back}.")]
    return "\n".join(lines)


def running_text(found: Sequence[Billable], now: datetime) -> str:
    """What is up, before it is destroyed."""
    return "\n".join(f"  {one.kind:<18} {one.shown}  (up {lasted(one.hours(now))})" for one in found)


def _ran(receipt: Receipt) -> Iterator[str]:
    if receipt.ended:
        yield f"  {'Ended':<58} {'ran for':>15} {'USD':>12}"
        for one in receipt.ended:
            shown = textwrap.shorten(f"{one.kind} {one.shown}", 58, placeholder="…")
            yield f"  {shown:<58} {lasted(one.hours(receipt.at)):>15} {money(one.cost(receipt.at)):>12}"
        yield f"  {'Together about':<58} {'':>15} {money(receipt.cost_usd):>12}"
        yield ""
        yield f"  List prices of {table().dated}, at the least number of replicas; no traffic, discount or tax."
        for reason in dict.fromkeys(f"{one.kind}: {one.price.basis or 'its begin'}" for one in receipt.unpriced):
            yield from _folded(f"Not in the sum, because unknown: {reason}.")
        yield ""
    elif not receipt.not_seen_before:
        yield from ["  Nothing was up that could be seen to end.", ""]
    for kind, why in receipt.not_seen_before.items():
        yield from _folded(f"What ran before is not known of: {kind} ({why}).")


def _remains(receipt: Receipt) -> Iterator[str]:
    if receipt.is_clean:
        yield "  Nothing remains that costs money: every service was asked."
        return
    if receipt.remaining:
        hourly = receipt.remaining_usd_per_hour
        yield f"  REMAINS: {len(receipt.remaining)}, for about USD {money(hourly)} per hour. Each with its removal:"
        for one in receipt.remaining:
            cost = f"USD {money(one.price.usd_per_hour)}/h" if one.price.usd_per_hour is not None else "cost unknown"
            yield f"    {one.kind} {one.shown}  ({cost})"
            yield f"      {one.remove}"
    if receipt.not_seen:
        yield "  NOT KNOWN whether anything remains of:"
        for kind, why in receipt.not_seen.items():
            yield from _folded(f"  {kind}: {why}")
        yield f"  Run `make receipt ENV={receipt.env}` when the cloud answers again."


def _folded(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
