"""When things happened to one sequence. Plain Python: no clock of its own; times are `time.monotonic()`."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(slots=True)
class Timeline:
    """Written by whoever moves the sequence on; read after its end, for metrics and traces.

    arrived: it was let into the line. started: it left the line for the batch. tokens: one time per token.
    """

    arrived: float
    started: float | None = None
    tokens: list[float] = field(default_factory=list)

    @property
    def queue_s(self) -> float | None:
        """Time in the line; None when it never left it for the batch."""
        return None if self.started is None else self.started - self.arrived

    @property
    def first_token_s(self) -> float | None:
        """From arrival to the first token; None when there was none."""
        return self.tokens[0] - self.arrived if self.tokens else None

    @property
    def gaps_s(self) -> list[float]:
        """Between each token and the next; none between those that came at once, as a beam search's do."""
        return [later - earlier for earlier, later in pairwise(self.tokens) if later > earlier]
