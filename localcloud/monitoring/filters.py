"""Cloud Monitoring's filter of time series, as far as clients of this system write it: comparisons joined by AND.

Source: Cloud Monitoring, "Monitoring filters".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localcloud.errors import invalid
from localcloud.store import Document

Condition = Callable[[Document], bool]
METRIC_TYPE = ["metric", "type"]
_TERM = re.compile(
    r'\s*(?P<path>[a-z_]+(?:\.[\w-]+)+)\s*(?P<op>!=|=)\s*(?P<starts>starts_with\()?\s*"(?P<value>[^"]*)"\s*\)?\s*'
)
_AND = re.compile(r"AND\b\s*")


@dataclass(frozen=True)
class Filter:
    """What the metric and the resource of a series must be."""

    conditions: Sequence[tuple[list[str], Condition]]

    def wants(self, series: Document) -> bool:
        return all(condition(series) for _, condition in self.conditions)

    def may_want(self, metric_type: str) -> bool:
        """Whether a series of this metric is wanted, whatever its labels."""
        series = {"metric": {"type": metric_type}}
        return all(condition(series) for path, condition in self.conditions if path == METRIC_TYPE)


def parse(text: str) -> Filter:
    """INVALID_ARGUMENT for what is not served here."""
    conditions: list[tuple[list[str], Condition]] = []
    rest = text
    while rest.strip():
        found = _TERM.match(rest)
        if found is None:
            raise invalid(
                f'Unparseable filter at {rest.strip()[:40]!r}: this server knows FIELD = "VALUE" joined by AND, with '
                '= or !=, and starts_with("VALUE").'
            )
        conditions.append((label_path(found["path"]), _condition(found)))
        rest = rest[found.end() :]
        rest = _AND.sub("", rest, count=1) if _AND.match(rest) else rest
    if not any(path == METRIC_TYPE for path, _ in conditions):
        raise invalid('The filter must name a metric, as metric.type = "aiplatform.googleapis.com/…".')
    return Filter(conditions)


def label_path(path: str) -> list[str]:
    """`metric.label.response_code` and `metric.labels.response_code` mean the same."""
    parts = path.split(".")
    if len(parts) == 3 and parts[0] in ("metric", "resource") and parts[1] in ("label", "labels"):
        return [parts[0], "labels", parts[2]]
    if parts[-1] != "type" or len(parts) != 2 or parts[0] not in ("metric", "resource"):
        raise invalid(f"Unknown field {path!r}: metric.type, resource.type, metric.labels.KEY, resource.labels.KEY.")
    return parts


def _condition(found: re.Match[str]) -> Condition:
    path, wanted = label_path(found["path"]), found["value"]

    def holds(series: Document) -> bool:
        held: object = series
        for step in path:
            held = held.get(step) if isinstance(held, dict) else None
        equal = str(held or "").startswith(wanted) if found["starts"] else held == wanted
        return equal != (found["op"] == "!=")

    return holds
