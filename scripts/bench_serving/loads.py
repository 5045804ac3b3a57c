"""What is sent to a server, and what came of it. Every load is bounded in requests and in seconds.

Closed loops ask for whole answers and measure tokens per second; `single` and `poisson` ask for streams where the
server has them, and measure when tokens arrive. Knows HTTP through `client`; knows no contender.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from scripts.bench_serving.client import Reply, post
from scripts.bench_serving.folders import prompt

NUM_PROMPT_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Load:
    """lengths: tokens to generate, one for each request. num_clients: 0 sends all by a Poisson clock instead."""

    name: str
    lengths: tuple[int, ...]
    num_clients: int
    limit_s: float
    streams: bool = False


@dataclass(slots=True)
class Result:
    """One run of one load. `is_cut`: its time was over before its requests were answered."""

    load: str
    seconds: float = 0.0
    num_tokens: int = 0
    num_requests: int = 0
    num_sent: int = 0
    is_cut: bool = False
    rate_per_s: float | None = None
    end_to_end_s: list[float] = field(default_factory=list)
    first_token_s: list[float] = field(default_factory=list)
    inter_token_s: list[float] = field(default_factory=list)

    @property
    def tokens_per_s(self) -> float:
        return self.num_tokens / self.seconds if self.seconds else 0.0

    def summary(self) -> dict[str, Any]:
        """Numbers of this run, without its thousands of single gaps."""
        return {
            "load": self.load,
            "seconds": round(self.seconds, 4),
            "tokens": self.num_tokens,
            "requests": self.num_requests,
            "sent": self.num_sent,
            "is_cut": self.is_cut,
            "rate_per_s": self.rate_per_s,
            "tokens_per_s": round(self.tokens_per_s, 2),
            "end_to_end_s": [round(value, 4) for value in self.end_to_end_s],
            "first_token_s": [round(value, 4) for value in self.first_token_s],
        } | {
            f"{name}_{rank}": percentile(values, rank)
            for name, values in (
                ("end_to_end_s", self.end_to_end_s),
                ("first_token_s", self.first_token_s),
                ("inter_token_s", self.inter_token_s),
            )
            for rank in (50, 95)
        }


class WrongAnswer(Exception):
    """A server did other work than it was asked for: its speed would mean nothing."""


def percentile(values: list[float], rank: int) -> float | None:
    """None of nothing; the only value of one."""
    if len(values) < 2:
        return round(values[0], 5) if values else None
    return round(statistics.quantiles(values, n=100, method="inclusive")[rank - 1], 5)


def run(load: Load, url: str, *, can_stream: bool, rate_per_s: float | None = None) -> Result:
    """Sends the load; `rate_per_s` is for a Poisson load. Raises `WrongAnswer`."""
    try:
        return asyncio.run(_run(load, url, can_stream and load.streams, rate_per_s))
    except ExceptionGroup as group:  # of clients that ran at the same time; the first one's trouble is what matters
        raise group.exceptions[0] from None


async def _run(load: Load, url: str, is_stream: bool, rate_per_s: float | None) -> Result:
    result = Result(load.name, rate_per_s=rate_per_s)
    started = time.perf_counter()
    answered = started

    async def ask(number: int) -> None:
        nonlocal answered
        length = load.lengths[number]
        result.num_sent += 1
        body = {"instances": [prompt(NUM_PROMPT_TOKENS, number)], "parameters": {"max_new_tokens": length}}
        reply = await post(url, body | {"stream": True} if is_stream else body)
        _check(reply, length, is_stream=is_stream)
        answered = reply.ended
        result.num_requests += 1
        result.num_tokens += length
        result.end_to_end_s.append(reply.seconds)
        result.first_token_s.append(reply.first_s)
        result.inter_token_s += [later - earlier for earlier, later in pairwise(reply.events)]

    numbers = iter(range(len(load.lengths)))
    sending = _poisson(ask, numbers, rate_per_s) if rate_per_s else _closed(ask, numbers, load.num_clients)
    try:
        await asyncio.wait_for(sending, load.limit_s)
    except TimeoutError:
        result.is_cut = True
    result.seconds = answered - started
    return result


async def _closed(ask: Callable[[int], Awaitable[None]], numbers: Iterator[int], num_clients: int) -> None:
    async def client() -> None:
        for number in numbers:
            await ask(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(num_clients):
            group.create_task(client())


async def _poisson(ask: Callable[[int], Awaitable[None]], numbers: Iterator[int], rate_per_s: float) -> None:
    chance = random.Random(11)  # noqa: S311 (the same arrivals for everybody)
    async with asyncio.TaskGroup() as group:
        for number in numbers:
            group.create_task(_awaited(ask(number)))
            await asyncio.sleep(chance.expovariate(rate_per_s))


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _check(reply: Reply, length: int, *, is_stream: bool) -> None:
    if reply.status != 200:
        raise WrongAnswer(f"status {reply.status}: {reply.body[:300]!r}")
    if is_stream:
        got = len(reply.events)
        if b"event: error" in reply.body:
            raise WrongAnswer(f"the stream ended with an error: {reply.body[-300:]!r}")
    else:
        got = len(reply.json()["predictions"][0].split())
    if got != length:
        raise WrongAnswer(f"asked for {length} tokens, got {got}")
