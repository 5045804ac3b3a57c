"""What a destroy ended, how long it had run and what that cost; and what is there still.

Compares a sweep before with one after. Knows no service and prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scripts.destroy.billable import BUILD, Billable
from scripts.destroy.sweep import Sweep


@dataclass(frozen=True)
class Receipt:
    """scope: the stack that was destroyed, None for all. at: when the second sweep was made.

    not_seen_before, not_seen: kinds that the sweep before or after could not look for, with the reason.
    """

    env: str
    scope: str | None
    at: datetime
    ended: tuple[Billable, ...]
    remaining: tuple[Billable, ...]
    not_seen_before: dict[str, str]
    not_seen: dict[str, str]

    @property
    def cost_usd(self) -> float:
        """Of what ended and has a price."""
        return sum(one.cost(self.at) or 0.0 for one in self.ended)

    @property
    def unpriced(self) -> tuple[Billable, ...]:
        """What ended and whose cost is not known."""
        return tuple(one for one in self.ended if one.cost(self.at) is None)

    @property
    def remaining_usd_per_hour(self) -> float:
        return sum(one.price.usd_per_hour or 0.0 for one in self.remaining)

    @property
    def is_clean(self) -> bool:
        """Whether nothing remains, for all that is known. What could not be looked at may remain."""
        return not self.remaining and not self.not_seen


def receipt(*, env: str, scope: str | None, before: Sweep, after: Sweep, at: datetime) -> Receipt:
    """Ended is what was there before and is not now, and the builds of the deployment's life."""
    before, after = before.of(scope), after.of(scope)
    there = {one.name for one in after.goes_on}
    # What could not be looked at afterwards has not ended: it is not known.
    gone = [one for one in before.goes_on if one.name not in there and one.kind not in after.not_seen]
    return Receipt(
        env=env,
        scope=scope,
        at=at,
        ended=(*gone, *_builds(before, gone, after)),
        remaining=after.goes_on,
        not_seen_before=before.not_seen,
        not_seen=after.not_seen,
    )


def _builds(before: Sweep, gone: list[Billable], after: Sweep) -> list[Billable]:
    """Builds that ended since the oldest of what is gone was made: this deployment's, not those of an earlier one."""
    begun = [one.since for one in gone if one.since is not None]
    if not begun:
        return []
    ended = {one.name: one for one in (*before.found, *after.found) if one.kind == BUILD and one.until is not None}
    known = {one.name for one in gone}
    return [one for one in ended.values() if one.since and one.since >= min(begun) and one.name not in known]
