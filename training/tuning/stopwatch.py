"""How long a training has taken, all its attempts together: a killed one goes on, and its time counts.

What an attempt did after its last checkpoint is lost, and so is the time of it. Knows no model.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from training.tuning.checkpoints import state_of

CALLBACKS, EARLIER = "stateful_callbacks", "earlier"


class Stopwatch(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Runs from when it is made. The trainer writes `state` into each checkpoint."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._earlier: list[float] = []

    def go_on(self, checkpoint: Path) -> None:
        """Adds the attempts that led to the checkpoint; none of one that was written before they were kept."""
        kept = (state_of(checkpoint) or {}).get(CALLBACKS, {}).get(type(self).__name__, {})
        self._earlier = [float(seconds) for seconds in kept.get("attributes", {}).get(EARLIER, [])]

    @property
    def seconds(self) -> float:
        return sum(self._attempts())

    @property
    def num_attempts(self) -> int:
        return len(self._attempts())

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {EARLIER: [round(seconds, 1) for seconds in self._attempts()]}}

    def _attempts(self) -> list[float]:
        return [*self._earlier, time.monotonic() - self._started]
