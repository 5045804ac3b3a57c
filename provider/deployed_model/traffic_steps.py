"""The declared steps in which traffic moves to a new deployed model, and what each must prove.

Knows the `traffic` blocks and what a step's figures may be; knows nothing of endpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from provider import duration
from tfplugin.resource import Problem
from tfplugin.schema import NUMBER, STRING, Attribute, Block, Body
from tfplugin.values import State, number

BLOCK = Block(
    name="traffic",
    body=Body(
        description="A step of a replacement: the new deployed model gets `percent` of this resource's traffic, for "
        "`wait`; then its error rate and latency decide whether the next step comes, or everything goes back. "
        "The last step, to 100, need not be declared. Figures come from Cloud Monitoring, which shows them some "
        "minutes late: let `wait` be 5 minutes or more on Google.",
        attributes=[
            Attribute(name="percent", type=NUMBER, required=True, description="1 to 100, each above the one before."),
            Attribute(name="wait", type=STRING, optional=True, description="Duration such as `10m`; default none."),
            Attribute(
                name="max_error_rate",
                type=NUMBER,
                optional=True,
                description="Largest share of failed predictions, 0 to 1, while the step lasts. Needs `wait`.",
            ),
            Attribute(
                name="max_p95_ms",
                type=NUMBER,
                optional=True,
                description="Largest 95th percentile of the latency in milliseconds. Needs `wait`.",
            ),
        ],
    ),
)


@dataclass(frozen=True)
class Step:
    """One step. wait_s: 0 for none; the limits: None for none."""

    percent: int
    wait_s: float = 0.0
    max_error_rate: float | None = None
    max_p95_ms: float | None = None

    @property
    def has_gate(self) -> bool:
        return self.max_error_rate is not None or self.max_p95_ms is not None

    def complaint(self, *, error_rate: float, p95_ms: float | None) -> str | None:
        """Why the figures forbid the next step; None when they allow it."""
        if self.max_error_rate is not None and error_rate > self.max_error_rate:
            return f"{error_rate:.2%} of its predictions failed; allowed are {self.max_error_rate:.2%} (max_error_rate)"
        if self.max_p95_ms is not None and p95_ms is not None and p95_ms > self.max_p95_ms:
            return f"its 95th percentile is {p95_ms:.0f} ms; allowed are {self.max_p95_ms:g} ms (max_p95_ms)"
        return None


def steps_of(state: State) -> list[Step]:
    """The configured steps."""
    return [
        Step(
            percent=int(one["percent"]),
            wait_s=duration.seconds(one["wait"]) if one["wait"] else 0.0,
            max_error_rate=number(one["max_error_rate"]),
            max_p95_ms=number(one["max_p95_ms"]),
        )
        for one in state["traffic"] or ()
    ]


def problems(config: State) -> Sequence[Problem]:
    """What is wrong with the blocks."""
    blocks: Any = config["traffic"]
    found: list[Problem] = []
    before = 0.0
    for index, step in enumerate(blocks if isinstance(blocks, list) else ()):
        percent = number(step["percent"])
        if isinstance(percent, int | float):
            if not (1 <= percent <= 100 and percent == int(percent)):
                found.append(_problem(index, "percent", percent, "a whole number from 1 to 100"))
            elif percent <= before:
                found.append(_problem(index, "percent", percent, f"more than the step before has ({before:g})"))
            before = percent
        found += _gate_problems(index, step)
    return found


def _gate_problems(index: int, step: State) -> list[Problem]:
    found: list[Problem] = []
    wait, rate, p95 = step["wait"], number(step["max_error_rate"]), number(step["max_p95_ms"])
    if isinstance(wait, str):
        try:
            duration.seconds(wait)
        except ValueError as error:
            found.append(Problem("traffic.wait is no duration", f"{error}.", ("traffic", index, "wait")))
    for name, value in (("max_error_rate", rate), ("max_p95_ms", p95)):
        if value is not None and wait is None:
            found.append(_problem(index, name, value, "none without `wait`: nothing would be measured"))
    if isinstance(rate, int | float) and not 0 <= rate <= 1:
        found.append(_problem(index, "max_error_rate", rate, "a share from 0 to 1"))
    if isinstance(p95, int | float) and p95 <= 0:
        found.append(_problem(index, "max_p95_ms", p95, "milliseconds above 0"))
    return found


def _problem(index: int, name: str, got: Any, allowed: str) -> Problem:
    return Problem(f"traffic.{name} is not allowed", f"Got {got!r}; allowed is {allowed}.", ("traffic", index, name))
