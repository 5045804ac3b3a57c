"""What resources cost, before and after: a range per hour, and what a change costs once.

Knows amounts and sums; which resource costs what is `pricing`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cdk.prices.table import HOURS_PER_DAY, HOURS_PER_MONTH


@dataclass(frozen=True)
class Cost:
    """USD per hour. low: at rest, all minimums; high: all maximums busy. unknown: why a part of it is not known.

    A cost with `unknown` is at least what its numbers say. by_use: what it costs to use it, which no plan can tell.
    """

    low: float = 0.0
    high: float = 0.0
    unknown: str = ""
    by_use: str = ""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.low + other.low,
            self.high + other.high,
            "; ".join(filter(None, (self.unknown, other.unknown))),
            "; ".join(filter(None, (self.by_use, other.by_use))),
        )

    def times(self, number: float) -> Cost:
        return Cost(self.low * number, self.high * number, self.unknown, self.by_use)

    @property
    def per_day(self) -> Cost:
        return self.times(HOURS_PER_DAY)

    @property
    def per_month(self) -> Cost:
        return self.times(HOURS_PER_MONTH)


FREE = Cost()


def fixed(usd_per_hour: float) -> Cost:
    return Cost(usd_per_hour, usd_per_hour)


@dataclass(frozen=True)
class Once:
    """What a change costs one time. usd: at the most; None when it is not known. what: how it is reckoned."""

    stack: str
    address: str
    usd: float | None
    what: str


@dataclass(frozen=True)
class Line:
    """One resource's row; None on the side where it does not exist. note, source: of its price."""

    stack: str
    address: str
    what: str
    before: Cost | None
    after: Cost | None
    note: str = ""
    source: str = ""

    @property
    def is_told(self) -> bool:
        """Whether it costs anything on either side, or might."""
        return any(cost not in (None, FREE) for cost in (self.before, self.after))


@dataclass(frozen=True)
class Bill:
    """The rows of all stacks. dated: the day of the price table."""

    lines: tuple[Line, ...]
    once: tuple[Once, ...]
    dated: str

    @property
    def before(self) -> Cost:
        return total(line.before for line in self.lines)

    @property
    def after(self) -> Cost:
        return total(line.after for line in self.lines)

    @property
    def unknown(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.after is not None and line.after.unknown)


def total(costs: Iterable[Cost | None]) -> Cost:
    return sum((cost for cost in costs if cost is not None), start=FREE)
