"""The part of Cloud Logging's query language that clients of this system use: comparisons joined by AND.

Knows entries as documents; knows nothing of where they come from.
Source: Cloud Logging, "Logging query language".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from localcloud.errors import invalid
from localcloud.store import Document

Condition = Callable[[Document], bool]
_TERM = re.compile(
    r"\s*(?P<not>NOT\s+|-)?(?P<path>[A-Za-z_][\w.]*)\s*(?P<op>!=|>=|<=|=~|=|>|<|:)\s*"
    r'(?P<value>"(?:[^"\\]|\\.)*"|[^\s()"]+)\s*'
)
_AND = re.compile(r"AND\b\s*")
SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def parse(text: str) -> Condition:
    """What an entry must be. INVALID_ARGUMENT for what is not served here, rather than a wrong answer."""
    conditions: list[Condition] = []
    rest = text.strip()
    while rest:
        found = _TERM.match(rest)
        if found is None:
            raise invalid(
                f"Unparseable filter at {rest[:40]!r}: this server knows FIELD OP VALUE joined by AND, with OP one of "
                "=, !=, :, =~, <, <=, >, >=, and NOT before a term."
            )
        conditions.append(_condition(found))
        rest = _AND.sub("", rest[found.end() :], count=1) if _AND.match(rest[found.end() :]) else rest[found.end() :]
    return lambda entry: all(condition(entry) for condition in conditions)


def _condition(found: re.Match[str]) -> Condition:
    path, op, value = found["path"].split("."), found["op"], found["value"]
    wanted = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    compare = _comparison(op, wanted)
    negated = bool(found["not"]) != (op == "!=")

    def holds(entry: Document) -> bool:
        held = _at(entry, path)
        return (held is not None and compare(path[0], held)) != negated

    return holds


def _comparison(op: str, wanted: str) -> Callable[[str, Any], bool]:
    if op in _ORDERED:
        return lambda field, held: _ORDERED[op](_ordered(field, str(held)), _ordered(field, wanted))
    if op == ":":
        return lambda _, held: wanted.lower() in str(held).lower() or wanted == "*"
    if op == "=~":
        return lambda _, held: re.search(wanted, str(held)) is not None
    return lambda _, held: str(held).lower() == wanted.lower()  # Cloud Logging compares without case


def _at(entry: Any, path: list[str]) -> Any:
    for step in path:
        entry = entry.get(step) if isinstance(entry, dict) else None
    return entry


def _ordered(field: str, text: str) -> Any:
    if field == "severity":
        return SEVERITIES.index(text.upper()) if text.upper() in SEVERITIES else 0
    if field == "timestamp":
        try:
            when = datetime.fromisoformat(text)
        except ValueError as error:
            raise invalid(f"Invalid timestamp {text!r}: RFC 3339 is needed, as 2026-11-21T08:00:00Z.") from error
        return when.timestamp()
    return text
