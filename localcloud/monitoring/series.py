"""The metrics of online prediction as time series, counted out of the predictions that were really answered.

Knows metrics, points and how they are put together; knows no routes and no endpoints.
Source: Google Cloud metrics, aiplatform; Cloud Monitoring v3, projects.timeSeries.list.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from localcloud.monitoring.distributions import distribution
from localcloud.monitoring.predictions import Prediction
from localcloud.projects import Projects
from localcloud.store import Document

PREFIX = "aiplatform.googleapis.com/prediction/online/"
RESOURCE = "aiplatform.googleapis.com/Endpoint"
SAMPLE_S = 1.0  # Google samples each minute, and shows it up to three later
Sample = tuple[dict[str, str], float]  # labels beside those that each prediction has, and a value
# Endpoint, deployed model, their display names, whether spot; then a metric's own labels, as pairs.
_Origin = tuple[Any, ...]


@dataclass(frozen=True)
class Metric:
    """One metric: what a prediction adds to it."""

    name: str
    value_type: Literal["INT64", "DISTRIBUTION"]
    unit: str
    samples: Callable[[Prediction], Iterable[Sample]]

    @property
    def type(self) -> str:
        return PREFIX + self.name


@dataclass(frozen=True)
class Window:
    """What is asked for, in Unix time. period_s: of one point; keys: the labels that series are told apart by."""

    start: float
    end: float
    period_s: float | None = None  # None: as sampled
    keys: Sequence[Sequence[str]] | None = None  # None: every label


def _served(one: Prediction) -> Iterator[Sample]:
    if one.code < 400:
        yield {}, one.instances


def _responses(one: Prediction) -> Iterator[Sample]:
    yield {"response_code": f"{one.code // 100}xx"}, 1


def _errors(one: Prediction) -> Iterator[Sample]:
    if one.code >= 400:
        yield {}, 1


def _latencies(one: Prediction) -> Iterator[Sample]:
    overhead_ms = max(0.0, one.total_ms - one.model_ms)
    for kind, value_ms in (("total", one.total_ms), ("model", one.model_ms), ("overhead", overhead_ms)):
        yield {"latency_type": kind}, value_ms


METRICS = (
    Metric("prediction_count", "INT64", "1", _served),
    Metric("response_count", "INT64", "1", _responses),
    Metric("error_count", "INT64", "1", _errors),
    Metric("prediction_latencies", "DISTRIBUTION", "ms", _latencies),
)


def series_of(
    metric: Metric,
    predictions: Iterable[Prediction],
    window: Window,
    *,
    projects: Projects,
    wanted: Callable[[Document], bool],
) -> list[Document]:
    """The series that are wanted, each with its points, the newest first."""
    groups: dict[_Origin, list[tuple[float, float]]] = defaultdict(list)
    for one in predictions:
        origin = (one.endpoint, one.deployed_model_id, one.model_name, one.endpoint_name, one.spot)
        for labels, value in metric.samples(one):
            groups[*origin, *labels.items()].append((one.ended, value))
    merged: dict[tuple[str, ...], tuple[Document, list[tuple[float, float]]]] = {}
    for origin_and_labels, samples in groups.items():
        described = _described(metric, origin_and_labels, projects)
        if wanted(described):
            described = described if window.keys is None else _reduced(described, window.keys)
            merged.setdefault(_key(described), (described, []))[1].extend(samples)
    return [
        {
            **described,
            "metricKind": "DELTA",
            "valueType": metric.value_type,
            "unit": metric.unit,
            "points": _points(metric, samples, window),
        }
        for _, (described, samples) in sorted(merged.items())
    ]


def _described(metric: Metric, origin: _Origin, projects: Projects) -> Document:
    name, deployed_model_id, model_name, endpoint_name, spot, *labels = origin
    _, project, _, location, _, endpoint = name.split("/")
    names = {"model_display_name": model_name, "endpoint_display_name": endpoint_name}
    metric_labels = {"deployed_model_id": deployed_model_id, "spot": str(spot), **names, **dict(labels)}
    resource = {"resource_container": projects.number(project), "location": location, "endpoint_id": endpoint}
    return {
        "metric": {"type": metric.type, "labels": metric_labels},
        "resource": {"type": RESOURCE, "labels": {"project_id": project, **resource}},
    }


def _reduced(full: Document, keys: Sequence[Sequence[str]]) -> Document:
    """Only the labels that were asked for; what kind of thing it is stays."""
    kept: Document = {part: {"type": full[part]["type"], "labels": {}} for part in ("metric", "resource")}
    kept["resource"]["labels"]["project_id"] = full["resource"]["labels"]["project_id"]
    for part, *label in keys:
        if label and label[-1] in full[part]["labels"]:
            kept[part]["labels"][label[-1]] = full[part]["labels"][label[-1]]
    return kept


def _key(described: Document) -> tuple[str, ...]:
    labels = {**described["resource"]["labels"], **described["metric"]["labels"]}
    return tuple(text for pair in sorted(labels.items()) for text in pair)


def _points(metric: Metric, samples: Sequence[tuple[float, float]], window: Window) -> list[Document]:
    periods: dict[float, list[float]] = defaultdict(list)
    for ended, value in samples:
        periods[_end_of_period(ended, window)].append(value)
    length_s = window.period_s or SAMPLE_S
    return [
        {
            "interval": {"startTime": _written(end - length_s), "endTime": _written(end)},
            "value": {"int64Value": str(int(sum(values)))}
            if metric.value_type == "INT64"
            else {"distributionValue": distribution(values)},
        }
        for end, values in sorted(periods.items(), reverse=True)
        if window.start < end <= window.end
    ]


def _end_of_period(ended: float, window: Window) -> float:
    """Aligned points lie back to back before the end of the window; sampled ones on whole seconds."""
    if window.period_s is None:
        return math.ceil(ended / SAMPLE_S) * SAMPLE_S
    return window.end - math.floor((window.end - ended) / window.period_s) * window.period_s


def _written(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
