"""Findings of one rule and severity together, so that a reason is told once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from scripts.plan_review.policy import Finding


def by_rule(findings: Iterable[Finding]) -> list[list[Finding]]:
    """In the order given, which has equal ones beside each other."""
    return [list(group) for _, group in groupby(findings, key=lambda one: (one.rule.id, one.severity))]
