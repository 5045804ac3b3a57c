"""How fast the engine ends sequences, as seen of late. Plain Python: no clock, no threads."""

from __future__ import annotations

import math

MEMORY_S = 30.0


class Pace:
    """Sequences ended per second of work, where work of `MEMORY_S` ago counts a third of today's.

    Only busy time counts: a server that idled all night is as fast as it was in the evening.
    """

    def __init__(self) -> None:
        self._num_ended = 0.0
        self._busy_s = 0.0

    def record(self, *, num_ended: int, seconds: float) -> None:
        """Learns that `num_ended` sequences ended in the last `seconds` of work."""
        fading = math.exp(-seconds / MEMORY_S)
        self._num_ended = self._num_ended * fading + num_ended
        self._busy_s = self._busy_s * fading + seconds

    def seconds_for(self, num_sequences: int) -> float:
        """How long that many should take; 0 while nothing has ended yet, as nothing is known."""
        return num_sequences * self._busy_s / self._num_ended if self._num_ended else 0.0
