"""All checks of one deployment at once, each in a thread of its own, and none longer than the time allowed.

A check that could not find out is a warning, never `ok`. Knows how checks are run; what they look at is theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from scripts.doctor.finding import Finding, Level, warning
from scripts.google_api import GoogleApiError, Refused

TIME_LIMIT_S = 8.0


@dataclass(frozen=True)
class Check:
    """subject: its name in findings that it cannot make itself. examine: may raise GoogleApiError."""

    subject: str
    examine: Callable[[], Iterable[Finding]]


@dataclass
class _Run:
    """One check under way. findings: None until it has ended."""

    check: Check
    findings: list[Finding] | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name=self.check.subject, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.findings = list(self.check.examine())
        except GoogleApiError as error:
            self.findings = [_unknown(self.check.subject, error)]
        except Exception as error:  # noqa: BLE001  one check that breaks must not hide what the others found
            problem = f"the check itself failed: {type(error).__name__}: {error}"
            self.findings = [warning(self.check.subject, problem, "Report this; the other lines stand.")]


def examine(checks: Iterable[Check], *, time_limit_s: float = TIME_LIMIT_S) -> list[Finding]:
    """What all checks found, in their order."""
    runs = [_Run(check) for check in checks]
    over = threading.Event()
    timer = threading.Timer(time_limit_s, over.set)
    timer.daemon = True
    timer.start()
    for run in runs:
        while run.thread.is_alive() and not over.is_set():
            run.thread.join(0.02)
    timer.cancel()
    return [finding for run in runs for finding in _ended(run, time_limit_s)]


def _ended(run: _Run, time_limit_s: float) -> list[Finding]:
    if run.findings is not None:
        return run.findings
    late = f"not found out within {time_limit_s:g} s"
    return [warning(run.check.subject, late, "Run `make doctor` again; if it stays so, look at the network.")]


def _unknown(subject: str, error: GoogleApiError) -> Finding:
    cure = "Cure the line `credentials` first, and run `make doctor` again."
    if isinstance(error, Refused):
        cure = "Ask for a role that may read it; the planner's in cdk/identities.py are enough."
    return warning(subject, f"not found out: {error}", cure)


def worst(findings: Iterable[Finding]) -> Level:
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.FAILURE, Level.WARNING) if level in levels), Level.OK)
