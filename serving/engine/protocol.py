"""What the server asks of an engine. There are two: our own T5 with a slot per sequence, and whole batches on
`transformers` for every other model; tests add a third. Knows no HTTP, no scheduler, no tensors.
"""

from __future__ import annotations

from typing import Protocol

from serving.sequence import Sequence

NOT_FINITE = "the model computed a number that is not finite for this prompt"


class BatchFailed(Exception):
    """A step went wrong for these sequences alone; its cause says how. The others go on at the next step."""

    def __init__(self, sequences: list[Sequence]) -> None:
        super().__init__(f"{len(sequences)} sequences failed")
        self.sequences = sequences


class Engine(Protocol):
    """Makes tokens. Called from one thread."""

    def step(self, running: list[Sequence]) -> None:
        """Advances every running sequence by one token or more, each through `Sequence.accept`.

        An engine that cannot take newcomers in mid-flight runs a batch until each of its sequences has ended: that of
        the first of `running` where they cannot share one. Those it leaves out stay cancellable all the while.
        `BatchFailed` fails the sequences that it names, another exception all of `running`; a sequence that alone
        went wrong is ended alone. Who is not in `running` any more is forgotten, with all that was kept for it.
        """
