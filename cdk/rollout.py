"""How a new version takes over: what it must answer first, in which steps it gets the traffic, what sends it back.

The values of a deployment file's `[rollout]`, and the provider's blocks made of them.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, model_validator

from cdk.fields import Duration, Frozen


class Golden(Frozen):
    """A prediction that a new version must get right. expected: a regular expression; without one, any will do."""

    prompt: str = Field(min_length=1)
    expected: str | None = None
    timeout: Duration = "5m"


class Step(Frozen):
    """percent of the traffic, for a while, within limits. Cloud Monitoring is minutes late: `wait` 5m or more."""

    percent: int = Field(ge=1, le=100)
    wait: Duration | None = None
    max_error_rate: float | None = Field(None, ge=0, le=1)
    max_p95_ms: float | None = Field(None, gt=0)


class Rollout(Frozen):
    """strategy: `recreate` when the quota has no room for old and new beside each other.

    keep_previous: the old version stays deployed, without traffic and at full price, for a quick way back.
    """

    strategy: Literal["rolling", "recreate"] = "rolling"
    keep_previous: bool = False
    drain: Duration = "10s"
    golden: Golden | None = None
    steps: list[Step] = []

    @model_validator(mode="after")
    def _steps_rise(self) -> Rollout:
        percents = [step.percent for step in self.steps]
        if percents != sorted(set(percents)):
            raise ValueError(f"steps: each percent must be above the one before, got {percents}")
        return self

    def blocks(self) -> dict[str, Any]:
        """The attributes and blocks of `vertex_endpoint_deployed_model`."""
        golden = self.golden
        question = None
        if golden is not None:
            question = {"instance": json.dumps(golden.prompt), "expected": golden.expected, "timeout": golden.timeout}
        return {
            "strategy": self.strategy,
            "keep_previous": self.keep_previous,
            "drain": self.drain,
            "golden": [question] if question else None,
            "traffic": [step.model_dump(exclude_none=True) for step in self.steps] or None,
        }
