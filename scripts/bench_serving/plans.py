"""Which loads are run, how long each may take, and how often. Knows numbers alone."""

from __future__ import annotations

import random
from dataclasses import dataclass

from scripts.bench_serving.loads import Load

VARIED = "64 requests, 8-128 tokens"
POISSON = "Poisson, 70 % of capacity"
SINGLE = "single stream"
CLIENTS = "32 clients"
CAPACITY_SHARE = 0.7
SLOW_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Plan:
    """shapes: each with its rounds. Slow contenders run in the first round of a shape alone."""

    loads: dict[str, list[Load]]
    rounds: tuple[str, ...]
    poisson_s: float


def full() -> Plan:
    return Plan(
        loads={
            "small": _loads(64, requests=(4, 4, 24, 64), slack=1.0),
            "base": _loads(32, requests=(3, 3, 16, 32), slack=1.6),
        },
        rounds=("small", "base", "small", "base", "small"),
        poisson_s=12,
    )


def quick(shape: str) -> Plan:
    return Plan(
        loads={shape: _loads(16, requests=(2, 2, 8, 32), slack=0.6, num_varied=16)}, rounds=(shape,), poisson_s=4
    )


def varied_lengths(count: int) -> tuple[int, ...]:
    """8 to 128 tokens; 64 of them are 4,154 tokens."""
    chance = random.Random(1)  # noqa: S311
    return tuple(chance.randrange(8, 129) for _ in range(count))


def _loads(length: int, *, requests: tuple[int, int, int, int], slack: float, num_varied: int = 64) -> list[Load]:
    single, one, eight, many = requests
    return [
        Load(SINGLE, (length,) * single, 1, 20 * slack, streams=True),
        Load("1 client", (length,) * one, 1, 20 * slack),
        Load("8 clients", (length,) * eight, 8, 20 * slack),
        Load(CLIENTS, (length,) * many, 32, 20 * slack),
        Load(VARIED, varied_lengths(num_varied), num_varied, 30 * slack),
        Load(POISSON, (length,) * 400, 0, 25 * slack, streams=True),
    ]
