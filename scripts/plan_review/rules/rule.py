"""A rule of the review: what it looks for, how serious that is, why, and what to do about it.

A rule is data and one function; what it finds is a sentence about this plan. Whether that needs approval is decided
elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from scripts.plan_review.plan.plans import Change
from scripts.plan_review.proposal import Proposal


class Severity(StrEnum):
    """LOW is for information; MEDIUM wants a look; HIGH costs money, data or an answer to somebody."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


@dataclass(frozen=True)
class Hit:
    """One find. what: a sentence about this plan. verdict: the verdict line's words, `replaces a serving deployment`.

    severity: in place of the rule's, where this case is another one.
    """

    stack: str
    address: str
    what: str
    verdict: str
    severity: Severity | None = None


@dataclass(frozen=True)
class Rule:
    """id: what a deployment file, a label and `--allow` call it. finds: what it is about, for its documentation."""

    id: str
    severity: Severity
    finds: str
    reason: str
    cure: str
    find: Callable[[Proposal], Iterator[Hit]]


def hit(change: Change, what: str, verdict: str, severity: Severity | None = None) -> Hit:
    """A find about one resource."""
    return Hit(change.stack, change.address, what, verdict, severity)
