"""Counters, gauges and histograms, written in Prometheus' text format 0.0.4. Knows nothing of what they count.

Own code instead of a client library: the image needs these three, and no global registry.
Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Protocol

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Metric(Protocol):
    """One family of samples."""

    kind: str
    name: str
    text: str

    def lines(self) -> list[str]: ...


class Counter:
    """Only grows. One value per set of labels; those named in `known` are written from the start, as 0."""

    kind = "counter"

    def __init__(self, name: str, text: str, *, known: Iterable[dict[str, str]] = ()) -> None:
        self.name, self.text = name, text
        self._lock = threading.Lock()
        self._values: dict[Labels, float] = {tuple(sorted(labels.items())): 0.0 for labels in known}

    def add(self, amount: float = 1, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def lines(self) -> list[str]:
        with self._lock:
            values = dict(self._values) or {(): 0.0}
        return [_line(self.name, labels, value) for labels, value in sorted(values.items())]


class Gauge:
    """Asked for when the page is written."""

    kind = "gauge"

    def __init__(self, name: str, text: str, read: Callable[[], float]) -> None:
        self.name, self.text, self._read = name, text, read

    def lines(self) -> list[str]:
        return [_line(self.name, (), self._read())]


class ReadCounter(Gauge):
    """Counted by somebody else, and asked for as a gauge is."""

    kind = "counter"


class Histogram:
    """Observations in fixed buckets; `bounds` are their upper ends, in the unit that the name says."""

    kind = "histogram"

    def __init__(self, name: str, text: str, *, bounds: tuple[float, ...]) -> None:
        self.name, self.text = name, text
        self._bounds = bounds
        self._lock = threading.Lock()
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, *values: float) -> None:
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
                self._sum += value

    def lines(self) -> list[str]:
        with self._lock:
            counts, total = list(self._counts), self._sum
        lines, running = [], 0
        for bound, count in zip((*self._bounds, math.inf), counts, strict=True):
            running += count
            lines.append(_line(f"{self.name}_bucket", (("le", _number(bound)),), running))
        return [*lines, _line(f"{self.name}_sum", (), total), _line(f"{self.name}_count", (), running)]


def page(metrics: Iterable[Metric]) -> str:
    """The whole text that Prometheus reads."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.text}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
    return "\n".join(lines) + "\n"


def _line(name: str, labels: Labels, value: float) -> str:
    inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    return f"{name}{{{inner}}} {_number(value)}" if inner else f"{name} {_number(value)}"


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
