"""A running sequence in its slot. Knows no tensors, no model."""

from __future__ import annotations

from dataclasses import dataclass

from serving.engine.continuous.drawing import Draw
from serving.sequence import Sequence


@dataclass(slots=True, eq=False)
class Row:
    """One slot's. A sequence has several where it is searched with beams; `is_beam` then, and `searches` has them."""

    sequence: Sequence
    num_source: int
    draw: Draw
    is_beam: bool = False

    @property
    def position(self) -> int:
        """Where the token stands that the next step reads: the start token at 0."""
        return len(self.draw.token_ids) - 1
