"""Log lines of a real server: JSON, with the ids of their request, and never with its text."""

import asyncio
import io
import json
import logging
import re
import threading

import httpx
import pytest

from serving.telemetry.context import RequestContext, current
from serving.telemetry.logs import JsonFormatter, LineHandler, where

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


class Stream(io.StringIO):
    """Remembers what was written at a time."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, text):
        self.writes.append(text)
        return super().write(text)


@pytest.fixture
def logger():
    logger = logging.Logger("lines")
    logger.stream = Stream()
    logger.addHandler(LineHandler(logger.stream))
    return logger


def test_the_lines_of_a_loop_are_written_together_and_soon(logger):
    async def run():
        for number in range(200):
            logger.info("refused %d", number)
            await asyncio.sleep(0)
        written_at_once = len(logger.stream.writes)
        while logger.stream.getvalue().count("\n") < 200:
            await asyncio.sleep(0.001)
        return written_at_once

    assert asyncio.run(run()) < 100
    assert logger.stream.getvalue().splitlines() == [f"refused {number}" for number in range(200)]


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_a_warning_is_written_at_once_after_the_lines_that_wait(logger, level):
    async def run():
        logger.info("first")
        assert logger.stream.writes == []
        logger.log(level, "second")
        assert logger.stream.getvalue() == "first\nsecond\n"
        logger.info("third")

    asyncio.run(run())
    logger.handlers[0].close()
    logger.handlers[0].flush()
    assert logger.stream.getvalue() == "first\nsecond\nthird\n"


def test_a_thread_without_a_loop_writes_its_lines_at_once_and_those_that_wait(logger):
    async def run():
        logger.info("first")
        thread = threading.Thread(target=logger.info, args=("second",))
        thread.start()
        thread.join()
        return logger.stream.getvalue()

    assert asyncio.run(run()) == "first\nsecond\n"


def test_lines_that_cannot_be_written_are_told_of_and_break_nobodys_work(logger, capsys):
    logger.stream.close()

    logger.info("lost")

    assert "log lines lost: 1 (I/O operation on closed file)" in capsys.readouterr().err
