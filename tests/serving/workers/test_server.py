"""The whole server with its engine in worker processes: workers killed, SIGTERM under load, the server killed."""

import asyncio
import contextlib
import os
import re
import signal
import time
from pathlib import Path

import httpx
import pytest

from scripts.bench_serving.client import post

BODY = {"instances": ["Anna asks Ben"], "parameters": {"max_new_tokens": 60}}


def metric(url, name):
    lines = httpx.get(url + "/metrics").text.splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " "))


def processes_of_session(session):
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(process.name)) == session:
                stat = (process / "stat").read_text().rpartition(")")[2].split()
                found[int(process.name)] = int(stat[1])
    return found


def workers_of(session):
    """The nursery is the server's child, the workers are the nursery's."""
    parents = processes_of_session(session)
    return [pid for pid, parent in parents.items() if parents.get(parent) == session]


@pytest.fixture
def server(start_server):
    return start_server(NUM_WORKERS=2, start_new_session=True, MAX_BATCH_SIZE=8).wait_healthy()


def test_twenty_killed_workers_cost_their_own_requests_alone(server):
    url, session = server.url, server.process.pid
    statuses = []

    async def client(is_over):
        while not is_over.is_set():
            reply = await asyncio.wait_for(post(url + "/predict", BODY), 20)
            statuses.append(reply.status)

    async def run():
        is_over = asyncio.Event()
        clients = [asyncio.create_task(client(is_over)) for _ in range(6)]
        for number in range(20):
            while metric(url, "serving_workers_replaced_total") < number or len(workers_of(session)) < 2:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)
            os.kill(workers_of(session)[number % 2], signal.SIGKILL)
        while metric(url, "serving_workers_replaced_total") < 20:
            await asyncio.sleep(0.02)
        is_over.set()
        await asyncio.gather(*clients)

    asyncio.run(run())

    assert set(statuses) <= {200, 500}
    assert statuses.count(500) <= 20 * 6
    assert metric(url, "serving_workers") == 2
    assert httpx.get(url + "/health").status_code == 200
    assert httpx.post(url + "/predict", json=BODY, timeout=60).status_code == 200


def test_sigterm_to_the_whole_group_breaks_no_answer_and_leaves_no_process(server):
    url, session = server.url, server.process.pid

    async def run():
        tasks = [asyncio.create_task(post(url + "/predict", BODY)) for _ in range(8)]
        await asyncio.sleep(0.05)
        os.killpg(session, signal.SIGTERM)
        return await asyncio.gather(*tasks)

    replies = asyncio.run(run())

    assert {reply.status for reply in replies} <= {200, 503}
    assert server.end(timeout=30) == 0
    assert processes_of_session(session) == {}


def test_workers_do_not_outlive_a_killed_server(server):
    session = server.process.pid
    assert len(processes_of_session(session)) == 4
    server.process.kill()
    deadline = time.monotonic() + 10
    while set(processes_of_session(session)) - {session} and time.monotonic() < deadline:
        time.sleep(0.05)

    assert set(processes_of_session(session)) <= {session}


def test_the_server_itself_holds_no_pytorch_beside_its_workers(server):
    assert httpx.post(server.url + "/predict", json=BODY, timeout=60).status_code == 200

    assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()
    assert all("libtorch" in Path(f"/proc/{pid}/maps").read_text() for pid in workers_of(server.process.pid))


def test_the_layout_is_measured_and_said_and_may_be_set(start_server):
    measured = start_server(NUM_WORKERS=0, NUM_THREADS=0, LOG_FORMAT="text").wait_healthy()
    found = re.search(r"layout: (\d) worker process.*\(tokens per second of 16 sequences", measured.log)

    assert found is not None, measured.log
    assert metric(measured.url, "serving_workers") == float(found[1])
    assert metric(measured.url, "serving_workers_memory_bytes") > 10e6
