"""What the server asks of an engine. Two kinds are foreseen: whole batches on `transformers`, and our own T5
with a slot per sequence; tests add a third. Knows no HTTP, no scheduler, no tensors.
"""

from __future__ import annotations

from typing import Protocol

from serving.sequence import Sequence


class Engine(Protocol):
    """Makes tokens. Called from one thread."""

    def step(self, running: list[Sequence]) -> None:
        """Advances every running sequence by one token or more, each through `Sequence.accept`.

        An engine that cannot take newcomers in mid-flight runs the batch until each of its sequences has ended.
        An exception fails the whole batch; a sequence that alone went wrong is ended alone.
        """
