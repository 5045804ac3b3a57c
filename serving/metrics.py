"""Counts what happens and writes it in Prometheus' text format 0.0.4. Knows nothing of what it counts.

Own code instead of a client library: the image needs a counter, a gauge and a histogram, and no global registry.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Callable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

Labels = tuple[tuple[str, str], ...]


class Counter:
    """Only grows. One value per set of labels."""

    kind = "counter"

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._lock = threading.Lock()
        self._values: dict[Labels, float] = {}

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


class Histogram:
    """Seconds, in fixed buckets."""

    kind = "histogram"

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._lock = threading.Lock()
        self._counts = [0] * (len(SECONDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        with self._lock:
            self._counts[bisect_left(SECONDS, seconds)] += 1
            self._sum += seconds

    def lines(self) -> list[str]:
        with self._lock:
            counts, total = list(self._counts), self._sum
        lines, running = [], 0
        for bound, count in zip((*SECONDS, math.inf), counts, strict=True):
            running += count
            lines.append(_line(f"{self.name}_bucket", (("le", _number(bound)),), running))
        return [*lines, _line(f"{self.name}_sum", (), total), _line(f"{self.name}_count", (), running)]


class ServerMetrics:
    """The numbers of this server. received = finished (by outcome) + running, at any moment."""

    def __init__(self, *, num_waiting: Callable[[], int], num_running: Callable[[], int], is_ready: Callable[[], bool]):
        self.received = Counter("serving_requests_received_total", "Prediction requests whose headers arrived")
        self.finished = Counter("serving_requests_finished_total", "Prediction requests that ended, by outcome")
        self.prompt_tokens = Counter("serving_prompt_tokens_total", "Tokens read, of answered sequences")
        self.generated_tokens = Counter("serving_generated_tokens_total", "Tokens generated, of answered sequences")
        self.request_seconds = Histogram("serving_request_seconds", "From headers to the last byte, any outcome")
        self.num_open = 0
        self._metrics: list[Counter | Gauge | Histogram] = [
            self.received,
            self.finished,
            Gauge("serving_requests_running", "Prediction requests not ended yet", lambda: self.num_open),
            Gauge("serving_sequences_waiting", "Sequences in the queue", num_waiting),
            Gauge("serving_sequences_running", "Sequences in the batch", num_running),
            Gauge("serving_ready", "1 when /health says 200", lambda: float(is_ready())),
            self.prompt_tokens,
            self.generated_tokens,
            self.request_seconds,
        ]

    def begin(self) -> None:
        """A request arrived. Called, like `end`, on the event loop's thread alone."""
        self.received.add()
        self.num_open += 1

    def end(self, *, outcome: str, seconds: float) -> None:
        self.num_open -= 1
        self.finished.add(outcome=outcome)
        self.request_seconds.observe(seconds)

    def page(self) -> str:
        lines = []
        for metric in self._metrics:
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
