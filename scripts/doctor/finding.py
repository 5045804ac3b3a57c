"""What the doctor finds: one line with its level, and the cure where something is wrong. Knows no check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """FAILURE: a deploy would fail, or serve nothing. WARNING: it may, or it could not be found out."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Finding:
    """subject: what was looked at, in two or three words. cure: a command or an address; empty when all is well."""

    subject: str
    level: Level
    text: str
    cure: str = ""


def ok(subject: str, text: str) -> Finding:
    return Finding(subject, Level.OK, text)


def warning(subject: str, text: str, cure: str) -> Finding:
    return Finding(subject, Level.WARNING, text, cure)


def failure(subject: str, text: str, cure: str) -> Finding:
    return Finding(subject, Level.FAILURE, text, cure)
