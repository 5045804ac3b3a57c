"""One sequence's beam search, as `transformers` has it: which beams go on, which answers are whole, when it is over.

Knows numbers and token ids; knows no tensors, no slots. tests/serving/engine/continuous/test_beams.py holds it against
`transformers.generate`, token for token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Seq
from dataclasses import dataclass

from serving.request import Beams

# The score of beams that are none yet: at first all beams are alike, and only one of them may be followed.
NONE_YET = -1e9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A beam with one token more. score: the sum of its tokens' log probabilities."""

    score: float
    beam: int
    token: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole one. score: after the length penalty."""

    score: float
    token_ids: list[int]


class BeamSearch:
    """beams: what the request asks for. start: the tokens that stand before the answer."""

    def __init__(self, beams: Beams, *, start: Seq[int], max_new_tokens: int, eos_ids: frozenset[int]) -> None:
        self._beams = beams
        self._num_given = len(start)
        self._max_new_tokens = max_new_tokens
        self._eos_ids = eos_ids
        self._answers: list[Answer] = []  # best first
        self.token_ids: list[list[int]] = [list(start) for _ in range(beams.num)]
        self.scores: list[float] = [0.0] + [NONE_YET] * (beams.num - 1)
        self.is_over = False

    @property
    def num_candidates(self) -> int:
        """So many that enough are left for all beams even where each end token takes one of every beam's."""
        return max(2, 1 + len(self._eos_ids)) * self._beams.num

    @property
    def best(self) -> list[int]:
        """The likeliest answer, without the start; when the search is over."""
        return self._answers[0].token_ids[self._num_given :]

    def advance(self, candidates: Seq[Candidate]) -> list[int]:
        """Takes the likeliest candidates of all beams, best first; returns from which beam each one goes on."""
        num_tokens = len(self.token_ids[0]) + 1 - self._num_given
        is_last = num_tokens == self._max_new_tokens
        is_whole = [is_last or candidate.token in self._eos_ids for candidate in candidates]
        going = [one for one, ends in zip(candidates, is_whole, strict=True) if not ends][: self._beams.num]
        # below the best stand those that fill up the beams that go on: they are not good enough to be answers
        best = zip(candidates[: self._beams.num], is_whole, strict=False)
        self._keep([one for one, ends in best if ends], num_tokens)
        self.is_over = is_last or self._has_enough or not self._may_improve(going[0].score, num_tokens)
        self.token_ids = [[*self.token_ids[one.beam], one.token] for one in going]
        self.scores = [one.score for one in going]
        return [one.beam for one in going]

    def _keep(self, ended: Seq[Candidate], num_tokens: int) -> None:
        if self._has_enough:
            return
        size: float = num_tokens**self._beams.length_penalty
        answers = [Answer(one.score / size, [*self.token_ids[one.beam], one.token]) for one in ended]
        self._answers = sorted(self._answers + answers, key=lambda answer: -answer.score)[: self._beams.num]

    @property
    def _is_full(self) -> bool:
        return len(self._answers) == self._beams.num

    @property
    def _has_enough(self) -> bool:
        return self._beams.early_stopping is True and self._is_full

    def _may_improve(self, best_running: float, num_tokens: int) -> bool:
        """Whether the best beam could still be an answer better than the worst one kept, by `transformers`' guess."""
        penalty = self._beams.length_penalty
        is_patient = self._beams.early_stopping == "never" and penalty > 0
        length = self._max_new_tokens if is_patient else num_tokens
        worst = self._answers[-1].score if self._is_full else -math.inf
        size: float = length**penalty
        return best_running / size > worst
