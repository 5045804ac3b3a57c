"""received = succeeded + failed + running, on every page, whatever happens to the requests."""

import random
import threading
import time

import httpx
import pytest

SMALL = {"instances": ["Anna"], "parameters": {"max_new_tokens": 2}}
LONG = {"instances": ["Anna asks Ben"], "parameters": {"max_new_tokens": 200}}


def read(url):
    lines = httpx.get(url + "/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def num_failed(page, reason=None):
    start = "serving_requests_failed_total{" + (f'reason="{reason}"' if reason else "")
    return sum(value for name, value in page.items() if name.startswith(start))


def balance(page):
    ended = page["serving_requests_succeeded_total"] + num_failed(page) + page["serving_requests_running"]
    return page["serving_requests_received_total"] - ended


@pytest.fixture
def scraper():
    """Reads the page all the while; gives every balance that it saw."""
    over, threads, seen = threading.Event(), [], []

    def start(url):
        def run():
            while not over.is_set():
                seen.append(balance(read(url)))

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return seen

    yield start
    over.set()
    for thread in threads:
        thread.join(10)


class Client:
    """Sends twelve requests of all kinds, and leaves some of them early."""

    kinds = (SMALL, LONG, LONG | {"stream": True}, {"instances": 3}, {"instances": ["x" * 99_999]}, None)

    def __init__(self, url, seed):
        self.statuses = []
        self._url = url + "/predict"
        self._draw = random.Random(seed)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self):
        self._thread.join(60)
        return self.statuses

    def _run(self):
        for _ in range(12):
            body = self._draw.choice(self.kinds)
            if self._draw.random() < 0.25:
                self._leave()
            elif body is None:
                self.statuses.append(httpx.post(self._url, content=b"{").status_code)
            else:
                self.statuses.append(httpx.post(self._url, json=body, timeout=30).status_code)

    def _leave(self):
        body = LONG | {"stream": self._draw.random() < 0.5}
        try:
            self.statuses.append(httpx.post(self._url, json=body, timeout=httpx.Timeout(5, read=0.01)).status_code)
        except httpx.TimeoutException:
            self.statuses.append("left")


def test_every_request_is_counted_once_under_overload_bad_bodies_crashes_and_leaving(serve, scraper, break_engine):
    draw = random.Random(5)

    def fault(running):
        time.sleep(0.002)  # however fast the machine: five places, and eight clients who want them
        if len(running) > 1 and draw.random() < 0.02:
            raise RuntimeError("a kernel failed")

    break_engine(fault)
    url = serve(max_batch_size=2, max_waiting=3, max_instances=3, request_timeout_s=0.5, shutdown_grace_s=1).url
    balances = scraper(url)

    clients = [Client(url, seed) for seed in range(8)]
    statuses = [status for client in clients for status in client.join()]
    end = time.monotonic() + 10
    while (page := read(url))["serving_requests_running"] and time.monotonic() < end:
        time.sleep(0.02)

    assert len(statuses) == page["serving_requests_received_total"] == 96
    assert set(balances) == {0}
    assert len(balances) > 10
    assert (balance(page), page["serving_requests_running"]) == (0, 0)
    for reason in ("overloaded", "invalid_request", "malformed_body", "client_gone"):
        assert num_failed(page, reason) > 0, reason
    # a stream may have begun with 200 and ended with an error
    assert 0 < page["serving_requests_succeeded_total"] <= statuses.count(200) + statuses.count("left")


def test_a_crash_is_counted_as_such(serve, break_engine):
    failures = [RuntimeError("a kernel failed")]

    def fault(running):
        if failures:
            raise failures.pop()

    break_engine(fault)
    url = serve().url
    first, second = (httpx.post(url + "/predict", json=SMALL, timeout=60).status_code for _ in range(2))
    page = read(url)

    assert (first, second) == (500, 200)
    assert num_failed(page) == num_failed(page, "engine_failed") == 1
    assert balance(page) == 0


def test_latencies_tokens_and_batches_are_told_in_seconds_and_counts(serve):
    url = serve(max_batch_size=4).url
    body = {"instances": ["Anna asks", "Ben"], "parameters": {"max_new_tokens": 6}}
    assert httpx.post(url + "/predict", json=body, timeout=60).status_code == 200
    page = read(url)

    assert page["serving_queue_duration_seconds_count"] == 2
    assert page["serving_time_to_first_token_seconds_count"] == 2
    num_tokens = page["serving_generated_tokens_total"]
    assert 2 <= num_tokens <= 12
    assert page["serving_inter_token_latency_seconds_count"] == num_tokens - 2
    assert 4 <= page["serving_prompt_tokens_total"] <= 40
    steps = page["serving_batch_size_count"]
    assert steps == page["serving_step_duration_seconds_count"] >= num_tokens / 2
    assert page['serving_batch_size_bucket{le="2"}'] == steps
    assert page["serving_slots"] == 4
    assert page["serving_cache_bytes"] > 100_000
    total = page["serving_request_duration_seconds_sum"]
    assert page["serving_time_to_first_token_seconds_sum"] / 2 < total < 60
    assert page["process_resident_memory_bytes"] > 50e6
    assert page["process_open_fds"] > 3
