"""What no server should take, sent to every wire: each says so in its own protocol's shape, with a 4xx."""

import threading
import time

import httpx
import pytest

from tests.serving.bad_bodies import BAD_BODIES

NAME = "tiny-t5"
# path -> what tells that a refusal is in its protocol's shape
SHAPES = {
    "/predict": lambda body: body["error"].keys() == {"code", "reason", "message"},
    "/v1/completions": lambda body: body["error"].keys() == {"message", "type", "param", "code"},
    "/v1/chat/completions": lambda body: body["error"].keys() == {"message", "type", "param", "code"},
    "/invocations": lambda body: body.keys() == {"error", "error_type"},
    f"/predictions/{NAME}": lambda body: body.keys() == {"code", "type", "message"},
    f"/v2/models/{NAME}/infer": lambda body: body.keys() == {"error"} and isinstance(body["error"], str),
    "/v2/models/fastertransformer/infer": lambda body: body.keys() == {"error"} and isinstance(body["error"], str),
    f"/v2/models/{NAME}/generate": lambda body: body.keys() == {"error"} and isinstance(body["error"], str),
    "/infer": lambda body: body.keys() == {"error"} and isinstance(body["error"], str),
}


@pytest.mark.parametrize("path", SHAPES)
def test_every_bad_body_gets_a_4xx_in_the_wires_own_shape(client, path):
    wrong = []
    for name, (headers, raw) in BAD_BODIES.items():
        reply = client.post(path, content=raw, headers=headers)
        if not 400 <= reply.status_code < 500 or not SHAPES[path](reply.json()) or len(reply.content) > 4000:
            wrong.append(f"{name}: {reply.status_code} {reply.text[:200]}")

    assert wrong == []


def test_a_full_queue_is_429_with_retry_after_in_each_wires_own_shape(serve, break_engine):
    held = threading.Event()
    warmed_up = threading.Event()
    break_engine(lambda running: warmed_up.is_set() and held.wait(20))
    url = serve(max_batch_size=1, max_waiting=1, max_instances=1).url
    warmed_up.set()
    predict = {"instances": ["Anna"], "parameters": {"max_new_tokens": 2}}
    fillers = [
        threading.Thread(target=httpx.post, args=(url + "/predict",), kwargs={"json": predict}) for _ in range(2)
    ]
    for filler in fillers:
        filler.start()
        time.sleep(0.3)  # the first runs, the second waits: the queue is full
    try:
        replies = {path: httpx.post(url + path, json={}) for path in SHAPES}
    finally:
        held.set()
        for filler in fillers:
            filler.join()

    assert {path: reply.status_code for path, reply in replies.items()} == dict.fromkeys(SHAPES, 429)
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies.values())
    assert all(SHAPES[path](reply.json()) for path, reply in replies.items())
