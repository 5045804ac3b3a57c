"""Traces of a real server, received by a collector on loopback."""

import http.server
import sys
import threading
import time

import httpx
import pytest

from serving.config import ServerConfig

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector():
    """Its URL, and the spans that have arrived."""
    trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    pytest.importorskip("opentelemetry.sdk.trace")
    spans = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                raise AssertionError("not asked for")
            batch = trace_service.ExportTraceServiceRequest.FromString(raw)
            for resource in batch.resource_spans:
                names = {a.key: a.value.string_value for a in resource.resource.attributes}
                spans.extend((names["service.name"], span) for s in resource.scope_spans for span in s.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
        server.shutdown()
        thread.join()


def attributes(span):
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def test_a_request_is_one_trace_with_queue_encode_and_decode_inside(collector, start_server):
    url, spans = collector
    server = start_server(OTEL_EXPORTER_OTLP_ENDPOINT=url, MODEL_NAME="tiny").wait_healthy()
    body = {"instances": ["Anna asks"], "parameters": {"max_new_tokens": 5}}
    before = time.time_ns()
    httpx.post(server.url + "/predict", json=body, headers={"traceparent": f"00-{TRACE}-{SPAN}-01"}, timeout=60)
    httpx.post(server.url + "/predict", content=b"{")
    server.process.terminate()
    assert server.end() == 0

    assert {name for name, _ in spans} == {"tiny"}
    by_trace = {}
    for _, span in spans:
        by_trace.setdefault(span.trace_id.hex(), []).append(span)
    ours = {span.name: span for span in by_trace.pop(TRACE)}
    assert set(ours) == {"POST /predict", "queue", "encode", "decode"}
    request = ours["POST /predict"]
    assert request.parent_span_id.hex() == SPAN
    assert attributes(request)["gen_ai.usage.output_tokens"] == 5
    assert {ours[name].parent_span_id for name in ("queue", "encode", "decode")} == {request.span_id}
    assert before <= request.start_time_unix_nano <= ours["decode"].end_time_unix_nano
    assert ours["encode"].end_time_unix_nano == ours["decode"].start_time_unix_nano
    ((refused,),) = by_trace.values()
    assert attributes(refused)["error.type"] == "malformed_body"
    logged = [line for line in server.log.splitlines() if "malformed_body" in line]
    assert refused.trace_id.hex() in logged[0]
    assert "Anna" not in str(spans)


def test_a_collector_that_is_not_there_harms_nobody(collector, start_server):
    server = start_server(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9").wait_healthy()
    reply = httpx.post(server.url + "/predict", json={"instances": ["Anna"]}, timeout=60)
    server.process.terminate()

    assert reply.status_code == 200
    assert server.end(timeout=20) == 0


def test_an_endpoint_without_the_packages_is_refused_with_what_to_install(monkeypatch):
    from serving.telemetry.tracing import Tracing, TracingUnavailable

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingUnavailable, match="install opentelemetry-sdk and opentelemetry-exporter-otlp"):
        Tracing("http://127.0.0.1:4318", model="tiny")


def test_no_endpoint_means_no_tracing():
    assert ServerConfig().otlp_endpoint == ""
