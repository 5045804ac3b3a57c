"""The data source `vertex_endpoint_metrics`: what an endpoint answered in a window of time, for gates and schedules.

Changes nothing. Knows durations and attributes; `endpoint_metrics` knows Cloud Monitoring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from provider import duration
from provider.api import Api
from provider.endpoint_metrics.metrics import EndpointMetrics
from provider.limits import refused
from provider.names import location_of
from tfplugin.resource import Context, Problem
from tfplugin.schema import NUMBER, STRING, Attribute, Body, Schema, map_of
from tfplugin.values import State

MAX_WINDOW_S = 42 * 24 * 3600.0  # Cloud Monitoring keeps these metrics for six weeks


def _told(name: str, description: str, type_: Any = NUMBER) -> Attribute:
    return Attribute(name=name, type=type_, computed=True, description=description)


SCHEMA = Schema(
    body=Body(
        description="How many predictions an endpoint answered in a window of time, how many failed and how long they "
        "took.\n\n"
        "The figures are Cloud Monitoring's: Vertex AI samples every 60 seconds, and shows a sample up to 3 minutes "
        "later. So a window that ends now is not complete: set `offset` to `4m` where every request must be in it. "
        "The figures are read at each plan: what depends on them changes with them. Reading needs "
        "roles/monitoring.viewer.",
        attributes=[
            Attribute(
                name="endpoint",
                type=STRING,
                required=True,
                description="`projects/P/locations/L/endpoints/E`.",
            ),
            Attribute(
                name="deployed_model_id",
                type=STRING,
                optional=True,
                description="Only what this deployed model answered; without it the whole endpoint.",
            ),
            Attribute(
                name="window",
                type=STRING,
                optional=True,
                computed=True,
                default="15m",
                description="Length of the window, as `15m` or `24h`; at most six weeks. Default `15m`.",
            ),
            Attribute(
                name="offset",
                type=STRING,
                optional=True,
                description="How long ago the window ended, as `4m`; without it, it ends now.",
            ),
            _told("start_time", "Begin of the window, in RFC 3339.", STRING),
            _told("end_time", "End of the window, in RFC 3339.", STRING),
            _told("request_count", "Requests that were answered, well or not."),
            _told("prediction_count", "Instances that were predicted; a request may have several."),
            _told("error_count", "Requests that were answered with 4xx or 5xx."),
            _told("error_rate", "`error_count` of `request_count`, a share from 0 to 1; 0 when nobody asked."),
            _told("p50_ms", "Median of the requests' latency in ms; null when nobody asked."),
            _told("p95_ms", "95th percentile of the requests' latency in ms; null when nobody asked."),
            _told("response_count", "Requests by class of HTTP status: `2xx`, `4xx` ….", map_of(NUMBER)),
        ],
    )
)


@dataclass
class EndpointMetricsData:
    """The data source type."""

    api: Api
    type_name: str = "vertex_endpoint_metrics"
    schema: Schema = field(default=SCHEMA)

    def validate(self, config: State) -> Sequence[Problem]:
        if isinstance(config["endpoint"], str):
            location_of(config["endpoint"], path=("endpoint",))
        found = []
        for name in ("window", "offset"):
            text = config[name]
            if not isinstance(text, str):
                continue
            try:
                seconds = duration.seconds(text)
            except ValueError as error:
                found.append(Problem(f"{name} is no duration", f"{error}.", (name,)))
            else:
                if seconds > MAX_WINDOW_S:
                    found.append(refused((name,), text, "at most six weeks (1008h): older figures are not kept"))
        return found

    def read(self, context: Context, config: State) -> State:
        end = datetime.now(UTC) - timedelta(seconds=duration.pause(config["offset"]))
        start = end - timedelta(seconds=duration.seconds(config["window"]))
        reader = EndpointMetrics(self.api, context.stop)
        seen = reader.window(config["endpoint"], config["deployed_model_id"], start, end)
        return config | {
            "start_time": start.isoformat(timespec="seconds"),
            "end_time": end.isoformat(timespec="seconds"),
            "request_count": seen.count,
            "prediction_count": seen.predictions,
            "error_count": seen.errors,
            "error_rate": seen.error_rate,
            "p50_ms": seen.p50_ms,
            "p95_ms": seen.p95_ms,
            "response_count": dict(seen.responses),
        }
