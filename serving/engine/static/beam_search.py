# ruff: noqa: N803 (shape-suffixed tensor names)
"""What a batch with beams does differently on `transformers`' generation: who is in it, its settings, its end.

A beam search knows its tokens at its end alone: until then the criterion here lets its sequences leave, and after it
they take all their tokens at once. Knows tensors and `transformers`; knows no scheduler, no HTTP.
Imports torch and transformers, so only the loader's and the engine's threads import it.
"""

from __future__ import annotations

import time

import torch
from transformers import GenerationConfig, StoppingCriteria

from serving.engine.protocol import NOT_FINITE
from serving.engine.static.sampling import BatchSampler
from serving.errors import EngineFailed
from serving.request import Beams
from serving.sequence import Sequence

# B sequences, C candidates (a few for each beam of each sequence), T tokens so far.

Kind = tuple[Beams, int] | None


def kind_of(sequence: Sequence) -> Kind:
    """Sequences of one kind can share a batch; None is without beams.

    `transformers` takes one setting of beams for a batch, and one length: it knows no search that may take fewer
    tokens than the others of its batch.
    """
    request = sequence.request
    return None if request.beams is None else (request.beams, request.max_new_tokens)


def split(running: list[Sequence]) -> tuple[list[Sequence], list[Sequence]]:
    """The batch of the oldest, which is first, and those who wait for a batch of their own kind.

    Each batch ends the oldest of all, so nobody waits for ever.
    """
    kind = kind_of(running[0])
    batch = [sequence for sequence in running if kind_of(sequence) == kind]
    return batch, [sequence for sequence in running if kind_of(sequence) != kind]


def configure(config: GenerationConfig, beams: Beams) -> None:
    config.num_beams = beams.num
    config.length_penalty = beams.length_penalty
    config.early_stopping = beams.early_stopping
    config.return_dict_in_generate = False


class BeamAcceptance(StoppingCriteria):  # type: ignore[misc]
    """Ends sequences whose clients have left, whose time is over or whose numbers are not finite; the others go on.

    Their beams then count as finished. The rows of an ended sequence stay, as padding, until the batch ends.
    """

    def __init__(self, sequences: list[Sequence], sampler: BatchSampler) -> None:
        self._sequences = sequences
        self._sampler = sampler

    def __call__(self, ids_CT: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        now = time.monotonic()
        for row in self._sampler.broken:
            sequence = self._sequences[row // self._sequences[0].request.num_rows]
            sequence.end(EngineFailed(NOT_FINITE))
        is_done_B = [sequence.is_ended or not sequence.go_on(now) for sequence in self._sequences]
        num_candidates = len(ids_CT) // len(self._sequences)
        return torch.tensor(is_done_B, device=ids_CT.device).repeat_interleave(num_candidates)

    def take(self, answers: list[list[int]], eos_ids: frozenset[int]) -> None:
        """Gives each sequence the tokens of its best beam; what follows its end is padding."""
        now = time.monotonic()
        for sequence, answer in zip(self._sequences, answers, strict=True):
            for token in answer:
                if sequence.is_ended or not sequence.accept(token, is_eos=token in eos_ids, now=now):
                    break
            if not sequence.is_ended:
                sequence.end(EngineFailed("the beam search found no whole answer to this prompt"))


class Bystanders(StoppingCriteria):  # type: ignore[misc]
    """Ends nothing of the batch: lets those leave who run without being in it, since no other step looks after them."""

    def __init__(self, sequences: list[Sequence]) -> None:
        self._sequences = sequences

    def __call__(self, ids_CT: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        now = time.monotonic()
        for sequence in self._sequences:
            if not sequence.is_ended:
                sequence.go_on(now)
        return torch.zeros(len(ids_CT), dtype=torch.bool, device=ids_CT.device)
