"""A full server: what it has no room for is turned away before the application has seen it."""

import io
import json
import logging
import socket
import threading
from urllib.parse import urlsplit

import httpx
import pytest

from serving.exchange import journal
from serving.exchange.room import Room
from serving.telemetry.logs import JsonFormatter
from tests.serving.test_overload import metric, wait_until

PREDICT = {"instances": ["Anna"], "parameters": {"max_new_tokens": 4}}
BODY = json.dumps(PREDICT).encode()
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PATHS = ["/predict", "/v1/completions", "/invocations", "/v2/models/x/infer", "/predictions/x", "/infer"]


@pytest.fixture
def fill(serve, break_engine):
    """A factory: settings in, the URL of a server out that has one request in its engine and one in its queue."""
    is_held, is_over, connections = threading.Event(), threading.Event(), []

    def fault(running):
        if is_held.is_set():
            is_over.wait(60)

    def start(*, headers=(), **settings):
        break_engine(fault)
        defaults = {"max_batch_size": 1, "max_waiting": 1, "max_instances": 1, "shutdown_grace_s": 0.1}
        url = serve(**defaults | settings).url
        is_held.set()
        for gauge in ("serving_sequences_running", "serving_sequences_waiting"):
            connections.append(connect(url))
            connections[-1].sendall(request("/predict", *headers))
            wait_until(lambda gauge=gauge: metric(url, gauge) == 1)
        return url

    yield start
    is_over.set()
    for connection in connections:
        connection.close()


def connect(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def request(path, *lines, body=BODY, method="POST", version="1.1"):
    told = [f"{method} {path} HTTP/{version}", "host: a", "content-type: application/json", *lines]
    return "\r\n".join([*told, f"content-length: {len(body)}", "", ""]).encode() + body


def answers(url, *parts):
    """Sends the parts, and reads until the server closes the connection; returns (status, body) of each answer."""
    with connect(url) as connection:
        for part in parts:
            connection.sendall(part)
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
    told = [answer.partition(b"\r\n\r\n") for answer in got.split(b"HTTP/1.1 ")[1:]]
    return [(int(head[:3]), body) for head, _, body in told]


@pytest.fixture
def seen(monkeypatch):
    """The paths that the application was asked for."""
    paths = []
    call = Room.__call__

    async def spied(self, scope, receive, send):
        paths.append(scope["raw_path"].decode())
        await call(self, scope, receive, send)

    monkeypatch.setattr(Room, "__call__", spied)
    return paths


def test_what_is_turned_away_hears_what_the_application_would_say_in_the_words_of_its_wire(fill, seen):
    url = fill()
    seen.clear()
    headers = {"x-request-id": "order-7"}

    for path in PATHS:
        encoded = path.replace("i", "%69")  # which connections leave to the application
        ours = httpx.post(url + path, json=PREDICT, headers=headers)
        theirs = httpx.post(url + encoded, json=PREDICT, headers=headers)

        assert seen.pop() == encoded
        assert (ours.status_code, ours.text) == (theirs.status_code, theirs.text)
        assert dict(ours.headers) | {"date": ""} == dict(theirs.headers) | {"date": ""}
        assert (ours.status_code, ours.headers["x-request-id"]) == (429, "order-7")
    assert seen == []
    assert metric(url, 'serving_requests_failed_total{reason="overloaded"}') == 2 * len(PATHS)
    assert metric(url, "serving_requests_running") == 2
    assert metric(url, "serving_requests_received_total") == 2 * len(PATHS) + 2


def test_each_has_a_log_line_with_its_ids(fill, caplog, monkeypatch):
    url = fill()
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(journal.log, "handlers", [handler])
    caplog.set_level(logging.INFO, logger=journal.log.name)

    httpx.post(
        url + "/v2/models/x/infer", json=PREDICT, headers={"x-request-id": "order-7", "traceparent": TRACEPARENT}
    )

    wait_until(lambda: "overloaded" in lines.getvalue())
    (told,) = [json.loads(line) for line in lines.getvalue().splitlines() if "overloaded" in line]
    assert told["message"].startswith("POST /v2/models/{model}/infer -> 429 overloaded in ")
    assert (told["request_id"], told["trace_id"]) == ("order-7", TRACEPARENT.split("-")[1])


def test_its_connection_is_kept_and_everything_on_it_is_answered_in_order(fill):
    url = fill()
    last = request("/predict?x=1", "connection: close")

    told = answers(url, request("/predict") + request("/health", method="GET") + request("/predict") + last)
    apart = answers(url, request("/predict"), request("/health", method="GET"), request("/predict"), last)

    for got in (told, apart):
        assert [status for status, _ in got] == [429, 200, 429, 429]
        assert [body for status, body in got if status == 429] == [got[0][1]] * 3


@pytest.mark.parametrize(("version", "lines"), [("1.1", ["connection: close"]), ("1.0", [])])
def test_who_wants_the_connection_closed_hears_the_answer_before_the_whole_body_is_sent(fill, version, lines):
    url = fill()
    body = b" " * 3_000_000 + BODY
    with connect(url) as connection:
        whole = request("/predict", *lines, body=body, version=version)
        connection.sendall(whole[:1000])
        first = connection.recv(65536)
        connection.sendall(whole[1000:])
        rest = b""
        while chunk := connection.recv(65536):
            rest += chunk

    assert first.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nconnection: close\r\n" in first
    assert b"MAX_WAITING is 1" in first + rest


def test_a_connection_that_is_kept_and_then_idle_is_closed_as_others_are(fill, monkeypatch):
    monkeypatch.setattr("serving.server.KEEP_ALIVE_S", 0.2)
    url = fill()

    with connect(url) as connection:
        whole = request("/predict")
        connection.sendall(whole[:-1])
        assert connection.recv(65536).startswith(b"HTTP/1.1 429 ")
        connection.sendall(whole[-1:])
        assert connection.recv(65536) == b""


def test_who_asks_before_it_sends_its_body_is_not_told_to_go_on(fill):
    url = fill()

    assert answers(url, request("/predict", "expect: 100-continue", "connection: close"))[0][0] == 429


def test_what_follows_it_and_is_no_http_is_400_after_it(fill):
    url = fill()

    assert [status for status, _ in answers(url, request("/predict") + b"\x00\x01\r\n\r\n")] == [429, 400]


def test_a_client_that_leaves_before_it_hears_it_leaves_nothing_behind(fill):
    url = fill()
    num_files = metric(url, "process_open_fds")
    for _ in range(50):
        with connect(url) as connection:
            connection.sendall(request("/predict"))

    wait_until(lambda: metric(url, 'serving_requests_failed_total{reason="overloaded"}') == 50)
    wait_until(lambda: metric(url, "process_open_fds") <= num_files + 1)
    assert httpx.post(url + "/predict", json=PREDICT).status_code == 429


def test_with_a_quota_who_has_used_it_up_hears_that_first(fill, seen):
    url = fill(client_header="x-client", client_requests_per_minute=2, max_client_share=1, headers=["x-client: a"])

    mine = httpx.post(url + "/predict", json=PREDICT, headers={"x-client": "a"})
    others = httpx.post(url + "/predict", json=PREDICT, headers={"x-client": "b"})

    assert (mine.json()["error"]["reason"], others.json()["error"]["reason"]) == ("quota_exceeded", "overloaded")
    assert seen.count("/predict") == 3  # the two that fill the server, and the other client's


def test_pages_of_other_origins_can_read_it(fill):
    url = fill(cors_origins="https://page.example")

    answer = httpx.post(url + "/predict", json=PREDICT, headers={"origin": "https://page.example"})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (429, "https://page.example")
