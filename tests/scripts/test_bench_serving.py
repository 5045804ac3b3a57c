"""The HTTP benchmark's own parts, against small servers on loopback; the contenders themselves are not started here."""

import asyncio
import contextlib
import json
import threading
import xml.etree.ElementTree as ET

import pytest

from scripts.bench_serving import plans
from scripts.bench_serving.chart import chart
from scripts.bench_serving.contenders import kinds
from scripts.bench_serving.folders import prompt, step_bytes
from scripts.bench_serving.loads import Load, WrongAnswer, percentile, run
from scripts.bench_serving.report import markdown


class Server:
    """Answers with as many words as were asked for, each `token_s` after the one before; in a thread of its own."""

    def __init__(self, *, token_s=0.002, is_short=False):
        self._token_s = token_s
        self._is_short = is_short
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._started.wait(5)

    async def _run(self):
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/predict"
        self._started.set()
        async with server:
            await self._over.wait()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await asyncio.sleep(0.01)  # closed transports let go of their sockets at the next turn of the loop

    async def _answer(self, reader, writer):
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = next(int(line.split(":")[1]) for line in head.lower().split("\r\n") if "content-length" in line)
            body = json.loads(await reader.readexactly(size))
            await self._write(writer, body)
            await writer.drain()

    async def _write(self, writer, body):
        count = body["parameters"]["max_new_tokens"] - self._is_short
        if body.get("stream"):
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(count):
                await asyncio.sleep(self._token_s)
                data = b'data: {"index": 0, "text": "t5 "}\n\n'
                writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            writer.write(b"0\r\n\r\n")
        else:
            await asyncio.sleep(self._token_s * count)
            raw = json.dumps({"predictions": [" ".join(["t5"] * count)]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(raw), raw))

    def close(self):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(5)


@pytest.fixture
def start():
    servers = []

    def start(**options):
        servers.append(Server(**options))
        return servers[-1].url

    yield start
    for server in servers:
        server.close()


def test_a_closed_loop_sends_every_request_once_and_counts_its_tokens(start):
    result = run(Load("four", (5, 6, 7, 8), 2, 10), start(), can_stream=True)

    assert (result.num_requests, result.num_tokens, result.is_cut) == (4, 26, False)
    assert result.seconds >= 0.026
    assert result.inter_token_s == []
    assert result.summary()["end_to_end_s_95"] >= result.summary()["end_to_end_s_50"]


def test_a_stream_gives_the_times_of_its_tokens(start):
    result = run(Load("one", (10,), 1, 10, streams=True), start(token_s=0.01), can_stream=True)

    assert len(result.inter_token_s) == 9
    assert 0.005 < percentile(result.inter_token_s, 50) < 0.1
    assert result.first_token_s[0] < result.end_to_end_s[0]


def test_a_server_that_cannot_stream_has_its_first_token_with_its_last(start):
    result = run(Load("one", (10,), 1, 10, streams=True), start(), can_stream=False)

    assert result.first_token_s == result.end_to_end_s


def test_a_poisson_load_does_not_wait_for_answers(start):
    result = run(Load("many", (50,) * 10, 0, 10), start(token_s=0.01), can_stream=False, rate_per_s=100)

    assert result.num_requests == 10
    assert result.seconds < 10 * 0.5


def test_a_load_ends_when_its_time_is_over_and_says_so(start):
    result = run(Load("slow", (100,) * 4, 2, 0.3), start(token_s=0.002), can_stream=False)

    assert result.is_cut
    assert result.num_requests == 2
    assert 0.2 <= result.seconds <= 0.3


@pytest.mark.parametrize("can_stream", [True, False])
def test_a_server_that_does_less_work_than_it_was_asked_for_is_not_measured(start, can_stream):
    with pytest.raises(WrongAnswer, match="asked for 10 tokens, got 9"):
        run(Load("one", (10,), 1, 10, streams=True), start(is_short=True), can_stream=can_stream)


def test_prompts_differ_and_have_the_length_that_was_asked_for():
    assert len(prompt(128, 1).split()) == 127
    assert len({prompt(128, seed) for seed in range(400)}) == 400


def test_a_decoder_step_reads_the_decoder_and_the_output_layer():
    assert round(step_bytes("small", weight_bytes=4) / 1e6) == 154
    assert round(step_bytes("base", weight_bytes=4) / 1e6) == 495
    assert step_bytes("small", weight_bytes=1) * 4 == step_bytes("small", weight_bytes=4)


def test_every_load_is_bounded_and_the_varied_one_is_the_described():
    for plan in (plans.full(), plans.quick("small")):
        for loads in plan.loads.values():
            assert all(0 < load.limit_s <= 60 and len(load.lengths) <= 400 for load in loads)
    (varied,) = (load for load in plans.full().loads["base"] if load.name == plans.VARIED)
    assert len(varied.lengths) == 64
    assert (min(varied.lengths) >= 8, max(varied.lengths) <= 128) == (True, True)


def entry(contender, load, **numbers):
    names = [f"{name}_{rank}" for name in ("end_to_end_s", "first_token_s", "inter_token_s") for rank in (50, 95)]
    plain = {"contender": contender, "load": load, "round": 0, "peak_mb": 500, "is_cut": False, "seconds": 2.0}
    counted = {"tokens_per_s": 100.0, "rate_per_s": 1.0, "requests": 4, "sent": 4}
    return plain | counted | dict.fromkeys(names, 0.02) | numbers


@pytest.fixture
def numbers():
    loads = ["1 client", "8 clients", plans.CLIENTS, plans.VARIED, plans.POISSON, plans.SINGLE]
    runs = [entry(kind.name, load) for kind in kinds(2) for load in loads]
    runs += [entry("project int8", plans.CLIENTS, tokens_per_s=400.0, round=number) for number in (1, 2)]
    runs += [entry("naive fp32", "8 clients", is_cut=True)]
    machine = {"cpu": "a <CPU>", "cores": 2, "python": "3.11", "load_average": 0.1}
    part = {"rounds": 3, "floor_ms": {"fp32": 5.0, "int8": 1.25}, "runs": runs}
    return {"command": "c", "when": "w", "commit": "x", "minutes": 1.0, "machine": machine, "shapes": {"small": part}}


def test_the_page_has_medians_ratios_and_the_distance_to_the_floor(numbers):
    page = markdown(numbers)

    assert "| project int8 | 100.0 (0.02/0.02) | 100.0 (0.02/0.02) | 400.0 (0.02/0.02) |" in page
    assert "- 32 clients, tokens/s: project int8 / CTranslate2 int8: 4.00" in page
    assert "| project fp32 | 100.0 | 0.020 | 20.00 | 5.00 | 25% |" in page
    assert "| naive fp32 | 100.0 (0.02/0.02) | 100.0 (>0.02/>0.02) |" in page


def test_the_chart_is_well_formed_and_has_a_bar_for_each_figure(numbers):
    root = ET.fromstring(chart(numbers))
    bars = [element for element in root.iter("{http://www.w3.org/2000/svg}rect") if element.get("height") == "12"]

    assert len(bars) == 6 * 3
