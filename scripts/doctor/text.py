"""Findings as lines for people: what was looked at, how it is, and the cure below."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.doctor.finding import Finding, Level

COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.FAILURE: "31"}


def line(finding: Finding, *, colour: bool = False) -> str:
    level = f"{finding.level.value:<8}"
    shown = f"\033[{COLOURS[finding.level]}m{level}\033[0m" if colour else level
    text = f"  {shown} {finding.subject:<15} {finding.text}"
    return text + (f"\n{' ' * 27}cure: {finding.cure}" if finding.cure else "")


def verdict(findings: Sequence[Finding], seconds: float) -> str:
    counts = {level: sum(one.level is level for one in findings) for level in Level}
    said = f"{counts[Level.OK]} ok, {counts[Level.WARNING]} to look at, {counts[Level.FAILURE]} to cure"
    return f"{said} ({seconds:.1f} s)"
