"""OpenTelemetry traces: one span for each prediction request, and inside it queue, encode and decode.

Spans are written when the request has ended, from times that were taken anyway. Knows no HTTP, no engine, and holds
no text of prompts or answers. The OpenTelemetry packages are imported only where an endpoint is configured; the SDK
reads its other settings (OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER …) by itself:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

from serving.telemetry.context import RequestContext, Work, current

PACKAGES = "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http"
FLUSH_MS = 2000


class TracingUnavailable(Exception):
    """An endpoint is configured, and the packages to reach it are missing."""


class Tracing:
    """Sends spans to the collector at `endpoint`, over HTTP in protobuf, from a thread of its own."""

    def __init__(self, endpoint: str, *, model: str) -> None:
        try:
            self._api = import_module("opentelemetry.trace")
            sdk = import_module("opentelemetry.sdk.trace")
            export = import_module("opentelemetry.sdk.trace.export")
            resources = import_module("opentelemetry.sdk.resources")
            ids = import_module("opentelemetry.sdk.trace.id_generator")
            otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        except ImportError as error:
            raise TracingUnavailable(
                f"OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint!r} but {error.name} is not installed; "
                f"install {PACKAGES}, or unset the variable"
            ) from error
        # what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins over this name
        resource = resources.Resource({"service.name": model}).merge(resources.OTELResourceDetector().detect())
        self._model = model
        self._provider = sdk.TracerProvider(resource=resource, id_generator=_ids(ids.RandomIdGenerator))
        self._provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("serving")
        # spans want the time of day; everything here is measured with a clock that never jumps
        self._offset_s = time.time() - time.monotonic()

    def record(self, context: RequestContext, name: str, *, started: float, status: int, failure: str | None) -> None:
        """One ended request; `started` is `time.monotonic()`."""
        method, _, route = name.partition(" ")
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "gen_ai.request.model": self._model,
            "gen_ai.usage.input_tokens": sum(work.num_prompt_tokens for work in context.works),
            "gen_ai.usage.output_tokens": sum(len(work.timeline.tokens) for work in context.works),
            "request.id": context.request_id,
        }
        if failure is not None:
            attributes["error.type"] = failure
        span = self._tracer.start_span(
            name,
            context=self._parent(context),
            kind=self._api.SpanKind.SERVER,
            start_time=self._ns(started),
            attributes=attributes,
        )
        if failure is not None:
            span.set_status(self._api.Status(self._api.StatusCode.ERROR, failure))
        inside = self._api.set_span_in_context(span)
        for work in context.works:
            self._record_work(inside, work)
        span.end(self._ns(time.monotonic()))

    def close(self) -> None:
        """Sends what has not been sent, for a moment at most."""
        self._provider.force_flush(FLUSH_MS)
        self._provider.shutdown()

    def _record_work(self, inside: Any, work: Work) -> None:
        timeline = work.timeline
        if timeline.started is None:
            return
        self._span(inside, "queue", timeline.arrived, timeline.started, {})
        if timeline.tokens:
            first, last = timeline.tokens[0], timeline.tokens[-1]
            self._span(inside, "encode", timeline.started, first, {"tokens": work.num_prompt_tokens})
            self._span(inside, "decode", first, last, {"tokens": len(timeline.tokens)})

    def _span(self, inside: Any, name: str, begin: float, end: float, attributes: dict[str, Any]) -> None:
        span = self._tracer.start_span(name, context=inside, start_time=self._ns(begin), attributes=attributes)
        span.end(self._ns(end))

    def _parent(self, context: RequestContext) -> Any:
        """The caller's span. Without one: no parent, and `_ids` gives the span the trace id that the logs have."""
        if context.parent_span_id is None:
            return None
        flags = self._api.TraceFlags(1 if context.is_sampled else 0)
        caller = self._api.SpanContext(
            int(context.trace_id, 16), int(context.parent_span_id, 16), is_remote=True, trace_flags=flags
        )
        return self._api.set_span_in_context(self._api.NonRecordingSpan(caller))

    def _ns(self, moment: float) -> int:
        return int((moment + self._offset_s) * 1e9)


def _ids(base: Any) -> Any:
    class ContextIds(base):  # type: ignore[misc]
        """Trace ids of the request at hand, so that its log lines and its spans find each other."""

        def generate_trace_id(self) -> int:
            context = current.get()
            return int(super().generate_trace_id()) if context is None else int(context.trace_id, 16)

    return ContextIds()
