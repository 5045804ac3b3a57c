"""Log lines of a real server: JSON, with the ids of their request, and never with its text."""

import json
import logging
import re

import httpx

from serving.telemetry.context import RequestContext, current
from serving.telemetry.logs import JsonFormatter, where

SECRET = "confidentialword"


def lines(log):
    return [json.loads(line) for line in log.splitlines()]


def test_every_line_of_a_server_is_an_object_and_a_requests_line_has_its_ids(start_server):
    server = start_server().wait_healthy()
    reply = httpx.post(
        server.url + "/predict",
        json={"instances": ["Anna"]},
        headers={"x-request-id": "order-7", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        timeout=60,
    )
    httpx.post(server.url + "/predict", content=b"{")
    server.process.terminate()
    server.end()

    assert reply.headers["x-request-id"] == "order-7"
    told = [line for line in lines(server.log) if "status" in line]
    assert [(line["status"], line["outcome"], line["severity"]) for line in told] == [
        (200, "ok", "INFO"),
        (400, "malformed_body", "INFO"),
    ]
    assert (told[0]["request_id"], told[0]["trace_id"]) == ("order-7", "4bf92f3577b34da6a3ce929d0e0e4736")
    assert len(told[1]["request_id"]) == len(told[1]["trace_id"]) == 32
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines(server.log))


def test_no_prompt_reaches_the_log_even_when_our_own_code_fails_with_it(serve, caplog, monkeypatch):
    from serving.checkpoint.tokenizer import FolderTokenizer

    def encode(self, text):
        raise ValueError(f"cannot read {text}")

    server = serve()
    monkeypatch.setattr(FolderTokenizer, "encode", encode)
    with caplog.at_level(logging.DEBUG, logger="serving"):
        reply = httpx.post(server.url + "/predict", json={"instances": [SECRET]}, timeout=60)

    assert reply.status_code == 500
    assert reply.json()["error"] == {
        "code": 500,
        "reason": "internal",
        "message": "an unexpected ValueError; the server's log has the details",
    }
    assert "an unexpected ValueError at" in caplog.text
    assert "test_logs.py" in caplog.text
    assert SECRET not in caplog.text
    assert 'failed_total{reason="internal"} 1' in httpx.get(server.url + "/metrics").text


def test_a_line_break_in_a_message_does_not_make_a_second_line():
    record = logging.LogRecord("serving", logging.INFO, "file", 1, "one\ntwo %s", ("three",), None)
    token = current.set(RequestContext("id-1", "0" * 32))
    try:
        line = JsonFormatter().format(record)
    finally:
        current.reset(token)

    assert "\n" not in line
    assert json.loads(line)["message"] == "one\ntwo three"
    assert json.loads(line)["request_id"] == "id-1"


def test_an_exception_is_located_without_its_text():
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        text = where(error)

    assert text.startswith("KeyError at\n")
    assert "test_logs.py" in text
    assert SECRET not in text.replace("raise KeyError(SECRET)", "")


def test_text_for_a_terminal_is_one_setting_away(start_server):
    server = start_server(LOG_FORMAT="text").wait_healthy()

    assert re.search(r"INFO serving\.lifecycle: healthy", server.log)
