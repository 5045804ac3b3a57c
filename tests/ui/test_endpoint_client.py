"""The client against a real HTTP server on loopback: every answer and every error it can meet."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from typing import Any

import pytest

from tests.ui.conftest import ENDPOINT, ROOT, Answer, FakeVertex, free_port, predictions
from ui.endpoint_client import EndpointClient, Patience
from ui.errors import (
    BadAnswer,
    Busy,
    EndpointError,
    Failed,
    Forbidden,
    NoIdentity,
    NotDeployed,
    NotReady,
    Refused,
    TimedOut,
    TooLong,
    Unreachable,
    WrongAddress,
)

CONTRACT = json.loads((ROOT / "tests" / "contract" / "predict.json").read_text())
IMPATIENT = Patience(max_attempts=1)
QUICK = Patience(max_attempts=3, first_wait_s=0.02, max_wait_s=1.5)


class CountedIdentity:
    """A new token each time the last one was refused."""

    def __init__(self) -> None:
        self.num_forgotten = 0

    async def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer token-{self.num_forgotten}"}

    def forget(self) -> None:
        self.num_forgotten += 1


def predict(url: str, *, patience: Patience = IMPATIENT, timeout_s: float = 5, **more: Any) -> str:
    async def once() -> str:
        client = EndpointClient(
            url, endpoint=ENDPOINT, identity=CountedIdentity(), timeout_s=timeout_s, patience=patience
        )
        try:
            return await client.predict("Who is Anna?", {"max_new_tokens": 16}, **more)
        finally:
            await client.aclose()

    return asyncio.run(once())


def google_error(code: int, message: str, status: str = "FAILED_PRECONDITION") -> Answer:
    return Answer(code, {"error": {"code": code, "message": message, "status": status}})


def test_sends_one_instance_with_its_parameters_and_its_identity(vertex):
    assert predict(vertex.predict_url) == "the answer"

    assert vertex.requests == [{"instances": ["Who is Anna?"], "parameters": {"max_new_tokens": 16}}]
    assert vertex.authorizations == ["Bearer token-0"]


@pytest.mark.parametrize("nested", ["text", ["text"], [["text"]]], ids=["plain", "as the first demo", "as its sibling"])
def test_reads_plain_predictions_and_those_of_the_first_demos(vertex, nested):
    vertex.reset(predictions(nested))

    assert predict(vertex.predict_url) == "text"


def test_reads_the_golden_answers(vertex):
    for golden in CONTRACT["answers"]:
        if len(golden["response"]["predictions"]) == 1:
            vertex.reset(Answer(200, golden["response"]))

            assert predict(vertex.predict_url) == golden["response"]["predictions"][0]


def test_reads_the_golden_refusals(vertex):
    for golden in CONTRACT["refusals"]:
        vertex.reset(Answer(golden["status"], golden["response"]))

        with pytest.raises(Refused) as caught:
            predict(vertex.predict_url)

        assert f"It says: {golden['response']['error']['message']}" in caught.value.message


DENIED = f"Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/{ENDPOINT}'"
ERRORS: list[tuple[Answer, type[EndpointError], str]] = [
    (Answer(503, {"error": {"message": "the weights still load"}}, {"Retry-After": "5"}), NotReady, "again in 5 s"),
    (google_error(429, "Model is not yet ready for inference. Please wait."), NotReady, "not ready yet"),
    (Answer(429, {"error": {"message": "128 requests are waiting"}}, {"Retry-After": "7"}), Busy, "again in 7 s"),
    (google_error(422, "temperature must be at most 5, got 9"), Refused, "temperature must be at most 5, got 9"),
    (google_error(400, "bad instance"), Refused, "bad instance"),
    (google_error(422, "the prompt has 1300 tokens; at most 1024 are allowed"), TooLong, "at most 1024"),
    (google_error(400, "The request size (1600000 bytes) exceeds 1.500MB limit."), TooLong, "1.500MB"),
    (google_error(413, "too large"), TooLong, "too large"),
    (google_error(400, f"Endpoint {ENDPOINT} doesn't have traffic_split."), NotDeployed, "no model takes its traffic"),
    (
        google_error(400, "Dedicated Endpoint cannot be accessed through the shared Vertex AI domain x."),
        WrongAddress,
        "PREDICT_URL",
    ),
    (google_error(403, DENIED, "PERMISSION_DENIED"), Forbidden, "lacks the permission aiplatform.endpoints.predict"),
    (google_error(401, "invalid authentication credentials"), NoIdentity, "401"),
    (google_error(404, "Endpoint not found"), NotDeployed, f"There is no endpoint {ENDPOINT}"),
    (google_error(504, "Timeout. Model server logs can be found at x"), TimedOut, "fewer new tokens"),
    (google_error(500, "the engine failed"), Failed, "HTTP 500"),
    (Answer(302, "", {"Location": "http://127.0.0.1:9/"}), Failed, "HTTP 302"),
    (Answer(502, "<html><title>502</title><h1>Bad Gateway</h1></html>"), Failed, "HTTP 502"),
    (Answer(200, "<html>a login page</html>"), BadAnswer, "not with a prediction"),
    (Answer(200, {"predictions": []}), BadAnswer, "0 predictions"),
    (Answer(200, {"predictions": ["a", "b"]}), BadAnswer, "2 predictions"),
    (Answer(200, {"predictions": [{"text": "a"}]}), BadAnswer, "dict"),
    (Answer(200, "[" * 100_000), BadAnswer, "not with a prediction"),
    (Answer(drop=True), Unreachable, "the connection broke"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), ERRORS, ids=[f"{e[0].status}-{e[2][:30]}" for e in ERRORS])
def test_every_failure_is_one_typed_error_in_words(vertex, answer, kind, words):
    vertex.reset(answer)

    with pytest.raises(EndpointError) as caught:
        predict(vertex.predict_url)

    assert type(caught.value) is kind
    assert words in caught.value.message
    assert "<" not in caught.value.message or kind is BadAnswer
    assert not set(caught.value.message) & {"{", "}", "\n"} or kind is BadAnswer


def test_digs_the_containers_own_sentence_out_of_vertex_ais_message(vertex):
    inner = json.dumps({"error": {"code": 422, "message": "top_p should be at most 1, got 2"}})
    vertex.reset(google_error(400, inner))

    with pytest.raises(Refused, match=r"It says: top_p should be at most 1, got 2$"):
        predict(vertex.predict_url)


def test_a_refused_connection_says_who_cannot_be_reached():
    port = free_port()

    with pytest.raises(Unreachable, match=f"127.0.0.1:{port} cannot be reached"):
        predict(f"http://127.0.0.1:{port}/v1/x:predict")


def test_an_answer_that_does_not_come_is_given_up_after_the_timeout(vertex):
    vertex.reset(Answer(200, {"predictions": ["late"]}, delay_s=5))
    started = time.monotonic()

    with pytest.raises(TimedOut, match=r"within 0\.3 s"):
        predict(vertex.predict_url, timeout_s=0.3, patience=QUICK)

    assert time.monotonic() - started < 2
    assert len(vertex.requests) == 1


def test_an_answer_that_trickles_is_given_up_after_the_timeout_too():
    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            with contextlib.suppress(OSError):
                for _ in range(100):
                    connection.sendall(b" ")
                    time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=trickle, args=(listener,))
        server.start()

        with pytest.raises(TimedOut):
            predict(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/x:predict", timeout_s=0.5)

        server.join(timeout=5)
        assert not server.is_alive()


@pytest.mark.parametrize(
    "passing",
    [Answer(429, {}, {"Retry-After": "0"}), Answer(503, {}), Answer(drop=True)],
    ids=["busy", "not ready", "connection lost"],
)
def test_what_can_pass_is_tried_again(vertex, passing):
    vertex.reset(passing, predictions("at last"))
    heard: list[EndpointError] = []

    answer = predict(vertex.predict_url, patience=QUICK, on_retry=lambda error, wait_s: heard.append(error))

    assert answer == "at last"
    assert len(vertex.requests) == 2
    assert len(heard) == 1


def test_retries_end_after_so_many_attempts(vertex):
    vertex.reset(Answer(503, {}))

    with pytest.raises(NotReady):
        predict(vertex.predict_url, patience=QUICK)

    assert len(vertex.requests) == 3


def test_waits_as_long_as_retry_after_says(vertex):
    vertex.reset(Answer(429, {}, {"Retry-After": "1"}), predictions("at last"))
    started = time.monotonic()

    predict(vertex.predict_url, patience=QUICK)

    assert time.monotonic() - started >= 1


def test_a_retry_after_that_is_too_long_to_wait_for_is_told_at_once(vertex):
    vertex.reset(Answer(503, {}, {"Retry-After": "120"}))

    with pytest.raises(NotReady, match="again in 120 s"):
        predict(vertex.predict_url, patience=QUICK)

    assert len(vertex.requests) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500, 504])
def test_what_cannot_pass_is_not_tried_again(vertex, status):
    vertex.reset(Answer(status, {}))

    with pytest.raises(EndpointError):
        predict(vertex.predict_url, patience=QUICK)

    assert len(vertex.requests) == 1


def test_a_refused_token_is_renewed_once(vertex):
    vertex.reset(Answer(401, {}), predictions("with the new one"))

    assert predict(vertex.predict_url) == "with the new one"
    assert vertex.authorizations == ["Bearer token-0", "Bearer token-1"]


def test_a_token_refused_twice_is_an_error(vertex):
    vertex.reset(Answer(401, {}))

    with pytest.raises(NoIdentity):
        predict(vertex.predict_url, patience=QUICK)

    assert len(vertex.requests) == 2


def test_cancelling_closes_the_connection(vertex: FakeVertex):
    vertex.reset(Answer(200, {"predictions": ["never"]}, delay_s=10))

    async def cancelled() -> None:
        client = EndpointClient(vertex.predict_url, endpoint=ENDPOINT, identity=CountedIdentity())
        asking = asyncio.create_task(client.predict("Who is Anna?", {}))
        while not vertex.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        deadline = time.monotonic() + 5
        while not vertex.num_aborted and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        await client.aclose()

    asyncio.run(cancelled())

    assert vertex.num_aborted == 1
