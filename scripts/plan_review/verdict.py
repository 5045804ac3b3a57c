"""The verdict: one line that says how much changes, what it costs, and whether a person must agree.

`3 to add, 1 replaced, +USD 4.22/h, +101.39/day; needs approval: replaces a serving deployment`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cdk.prices.table import HOURS_PER_DAY
from scripts.plan_review.cost.amounts import Bill
from scripts.plan_review.policy import Finding

CENT = 0.005  # less than this a day is no change


@dataclass(frozen=True)
class Counts:
    """Resources over all stacks. redeploy, rebuild: what Terraform calls an update, and a replacement."""

    add: int
    change: int
    redeploy: int
    rebuild: int
    replace: int
    destroy: int

    def __str__(self) -> str:
        return counted(
            (
                (self.add, "to add"),
                (self.change, "changed"),
                (self.redeploy, "redeployed"),
                (self.rebuild, "built anew"),
                (self.replace, "replaced"),
                (self.destroy, "destroyed"),
            )
        )


def counted(numbers: Iterable[tuple[int, str]]) -> str:
    """`3 to add, 1 replaced`; `no changes` when all are zero."""
    return ", ".join(f"{count} {words}" for count, words in numbers if count) or "no changes"


def verdict(counts: Counts, bill: Bill, findings: Sequence[Finding]) -> str:
    """One line, the same for every reader."""
    needed = list(dict.fromkeys(one.hit.verdict for one in findings if one.needs_approval))
    tail = f"; needs approval: {', '.join(needed)}" if needed else ""
    return f"{counts}, {money(bill)}{tail}"


def money(bill: Bill) -> str:
    """The difference at rest, and with everything busy where that is another one."""
    low, high = bill.after.low - bill.before.low, bill.after.high - bill.before.high
    unknown = " and what is unknown" if bill.unknown else ""
    if abs(low) * HOURS_PER_DAY < CENT and abs(high) * HOURS_PER_DAY < CENT:
        return f"the same cost{unknown}"
    at_rest = f"{_signed(low, 'USD ')}/h, {_signed(low * HOURS_PER_DAY)}/day"
    if abs(low) * HOURS_PER_DAY < CENT:
        return f"the same cost at rest, {_signed(high * HOURS_PER_DAY, 'USD ')}/day at most{unknown}"
    if abs(high - low) * HOURS_PER_DAY < CENT:
        return f"{at_rest}{unknown}"
    return f"{at_rest} at rest, {_signed(high * HOURS_PER_DAY)}/day at most{unknown}"


def _signed(usd: float, unit: str = "") -> str:
    return f"{'-' if usd < 0 else '+'}{unit}{abs(usd):,.2f}"
