"""What an endpoint answered in a window of time: how many, how many failed, how fast. Read from Cloud Monitoring.

Cloud Monitoring is late: Vertex AI samples every 60 s, and a sample may take another 2 to 3 minutes to show. So a
window that ended less than about 4 minutes ago is not complete yet on Google, and one that shows no request may have
had some. Knows metrics; knows nothing of deployments or of what a figure should be.
Source: Google Cloud metrics, aiplatform (prediction/online); Cloud Monitoring v3, projects.timeSeries.list.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from provider.api import Api, JsonObject
from provider.endpoint_metrics.latency_buckets import Buckets
from provider.names import location_of, project_of

METRIC = "aiplatform.googleapis.com/prediction/online/{name}"
# How old a window's end must be for its figures to be all there, on Google.
LAG_S = 240.0
RAW_S = 3600.0  # of a longer window the sum is asked for, instead of each sample
PAGE_SIZE = "10000"


@dataclass(frozen=True)
class Metrics:
    """A window's figures. count: requests that were answered; errors: those of them with 4xx or 5xx.

    predictions: instances answered well, several of which may come in one request. p50_ms, p95_ms: of the whole
    request, within the width of a bucket; None where nothing was measured. responses: requests by `2xx`, `4xx` ….
    """

    count: int = 0
    errors: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    predictions: int = 0
    responses: dict[str, int] = field(default_factory=dict)

    @property
    def error_rate(self) -> float:
        """0 to 1; 0 where nobody asked."""
        return self.errors / self.count if self.count else 0.0


@dataclass(frozen=True)
class EndpointMetrics:
    """Reads the metrics of endpoints. Needs monitoring.timeSeries.list (roles/monitoring.viewer)."""

    api: Api
    stop: threading.Event

    def window(self, endpoint: str, deployed_model_id: str | None, start: datetime, end: datetime) -> Metrics:
        """endpoint: its resource name. deployed_model_id: of one deployed model; None for all of the endpoint.

        start, end: with a time zone. Raises ApiError or Stopped.
        """
        wanted = _Wanted(endpoint, deployed_model_id, start, end)
        responses: dict[str, int] = {}
        for series in self._series(wanted, "response_count"):
            code = _class_of(str(series["metric"].get("labels", {}).get("response_code", "")))
            responses[code] = responses.get(code, 0) + _total(series)
        latencies = Buckets()
        for series in self._series(wanted, "prediction_latencies", latency_type="total"):
            latencies.add(series)
        return Metrics(
            count=sum(responses.values()),
            errors=sum(count for code, count in responses.items() if code in ("4xx", "5xx")),
            p50_ms=latencies.percentile(0.50),
            p95_ms=latencies.percentile(0.95),
            predictions=sum(_total(series) for series in self._series(wanted, "prediction_count")),
            responses=dict(sorted(responses.items())),
        )

    def _series(self, wanted: _Wanted, name: str, **labels: str) -> Iterator[JsonObject]:
        path = f"/v3/projects/{project_of(wanted.endpoint)}/timeSeries"
        params = wanted.parameters(name, labels)
        while True:
            page = self.api.get("monitoring", path, stop=self.stop, params=params)
            yield from page.get("timeSeries", [])
            if not page.get("nextPageToken"):
                return
            params["pageToken"] = page["nextPageToken"]


@dataclass(frozen=True)
class _Wanted:
    endpoint: str
    deployed_model_id: str | None
    start: datetime
    end: datetime

    def parameters(self, name: str, labels: dict[str, str]) -> dict[str, str]:
        found = {"metric.type": METRIC.format(name=name), "resource.type": "aiplatform.googleapis.com/Endpoint"}
        found |= {"resource.labels.location": location_of(self.endpoint)}
        found |= {"resource.labels.endpoint_id": self.endpoint.rpartition("/")[2]}
        if self.deployed_model_id is not None:
            found |= {"metric.labels.deployed_model_id": self.deployed_model_id}
        found |= {f"metric.labels.{key}": value for key, value in labels.items()}
        params = {
            "filter": " AND ".join(f'{key} = "{value}"' for key, value in found.items()),
            "interval.startTime": _written(self.start),
            "interval.endTime": _written(self.end),
            "pageSize": PAGE_SIZE,
        }
        length_s = (self.end - self.start).total_seconds()
        if length_s > RAW_S:
            params |= {"aggregation.perSeriesAligner": "ALIGN_SUM"}
            params |= {"aggregation.alignmentPeriod": f"{math.ceil(length_s)}s"}
        return params


def _class_of(code: str) -> str:
    """`2xx` of `200` and of `2xx`: Google's documents say both."""
    return f"{code[0]}xx" if code[:1].isdigit() else "none"


def _total(series: JsonObject) -> int:
    return sum(int(point.get("value", {}).get("int64Value", 0)) for point in series.get("points", []))


def _written(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
