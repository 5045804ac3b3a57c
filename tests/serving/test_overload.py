"""More requests than the server can take, late ones, and clients that leave."""

import threading
import time

import httpx
import pytest

LONG = {"instances": ["Anna asks Ben"], "parameters": {"max_new_tokens": 4000}}
SMALL = {"instances": ["Anna"], "parameters": {"max_new_tokens": 2}}


def metric(url, name):
    lines = httpx.get(url + "/metrics").text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " ")), 0.0)


def num_sequences(url):
    return metric(url, "serving_sequences_running") + metric(url, "serving_sequences_waiting")


def leave_an_answer(url):
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url + "/predict", json=LONG, timeout=0.4)


def leave_a_stream(url):
    with httpx.stream("POST", url + "/predict", json=LONG | {"stream": True}) as reply:
        next(reply.iter_raw())


def wait_until(is_true, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def post_later():
    """Posts in a thread, and gives up on the connection when told to (`client.close`)."""
    threads = []

    def post(url, body):
        replies = []

        def run():
            try:
                replies.append(httpx.post(url + "/predict", json=body, timeout=60))
            except httpx.HTTPError as error:
                replies.append(error)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return replies

    yield post
    for thread in threads:
        thread.join(60)


@pytest.fixture
def slow(serve):
    # PyTorch's operations: with our own kernels 4,000 tokens of this model take half a second
    defaults = {"max_new_tokens": 4096, "shutdown_grace_s": 0.1, "max_batch_size": 1, "kernels": "torch"}
    return lambda **settings: serve(**defaults | settings)


def test_a_full_queue_answers_429_at_once_and_says_when_to_come_back(post_later, slow):
    url = slow(max_waiting=2, max_instances=2).url
    for number in (1, 2, 3):
        post_later(url, LONG)
        wait_until(lambda number=number: num_sequences(url) == number)

    started = time.monotonic()
    reply = httpx.post(url + "/predict", json=SMALL)
    seconds = time.monotonic() - started

    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) >= 1
    assert "2 sequences are already waiting (MAX_WAITING is 2)" in reply.json()["error"]["message"]
    assert seconds < 5  # 4 ms on idle cores
    assert metric(url, 'serving_requests_failed_total{reason="overloaded"}') == 1


def test_a_request_past_its_deadline_gets_504_whether_it_runs_or_waits(post_later, slow):
    url = slow(request_timeout_s=0.5).url
    started = time.monotonic()
    runs, waits = post_later(url, LONG), post_later(url, LONG)
    wait_until(lambda: runs and waits)

    assert [runs[0].status_code, waits[0].status_code] == [504, 504]
    assert time.monotonic() - started < 10
    assert "the deadline passed after" in runs[0].json()["error"]["message"]
    assert httpx.post(url + "/predict", json=SMALL, timeout=60).status_code == 200


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_leaves_frees_its_place(slow, is_stream):
    url = slow().url
    leave = leave_a_stream if is_stream else leave_an_answer
    leave(url)

    wait_until(lambda: metric(url, "serving_sequences_running") == 0)
    wait_until(lambda: metric(url, 'serving_requests_failed_total{reason="client_gone"}') == 1)
    assert metric(url, "serving_requests_running") == 0


def test_health_answers_while_the_engine_works(post_later, slow):
    url = slow().url
    post_later(url, LONG)
    wait_until(lambda: metric(url, "serving_sequences_running") == 1)

    started = time.monotonic()
    for _ in range(10):
        assert httpx.get(url + "/health").status_code == 200
    assert time.monotonic() - started < 10


def test_forty_concurrent_requests_each_get_their_own_answer(serve):
    url = serve().url
    prompts = [f"{number} Anna asks Ben" for number in range(40)]
    alone = {}
    with httpx.Client(base_url=url, timeout=60) as client:
        for prompt in prompts[:4]:
            alone[prompt] = client.post("/predict", json={"instances": [prompt]}).json()["predictions"][0]
    got = {}

    def ask(prompt):
        reply = httpx.post(url + "/predict", json={"instances": [prompt]}, timeout=60)
        got[prompt] = reply.json()["predictions"][0]

    threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(got) == 40
    assert {prompt: got[prompt] for prompt in alone} == alone


def test_an_engine_that_stays_broken_ends_the_process_with_one_so_that_it_is_started_anew(serve, break_engine):
    is_broken = []

    def fault(running):
        if is_broken:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    break_engine(fault)
    server = serve()
    is_broken.append(True)
    reply = httpx.post(server.url + "/predict", json=SMALL, timeout=60)
    server.thread.join(20)

    assert (reply.status_code, reply.json()["error"]["reason"]) == (500, "engine_failed")
    assert server.status == 1
