# ruff: noqa: N803 (shape-suffixed tensor names)
"""The beam searches among the running sequences: their rows' likeliest tokens, and caches that follow the beams.

Knows tensors, rows and slots; the rules of a search are `beam_search`'s. Searches of any kind and age share a step with
each other and with rows that are none, and feel none of them: each looks at its own rows alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import torch

from serving.engine.continuous.beam_search import BeamSearch, Candidate
from serving.engine.continuous.caches import Caches
from serving.engine.continuous.drawing import penalise
from serving.engine.continuous.row import Row
from serving.engine.protocol import NOT_FINITE
from serving.errors import EngineFailed

# R rows of all searches, M width of their states, V vocabulary, C candidates.


class Output(Protocol):
    """Scores of states: `T5.scores`."""

    def scores(self, x_RM: torch.Tensor) -> torch.Tensor: ...


@dataclass(slots=True)
class Group:
    """One search, with the rows of its beams in their order."""

    search: BeamSearch
    rows: list[Row]


class Searches:
    """eos_ids: the tokens that end an answer."""

    def __init__(self, output: Output, caches: Caches, *, eos_ids: frozenset[int]) -> None:
        self._output = output
        self._caches = caches
        self._eos_ids = eos_ids
        self._groups: list[Group] = []

    def open(self, rows: list[Row]) -> None:
        """Begins the search of the sequence that these rows are of, one for each beam."""
        draw = rows[0].draw
        if draw.request.beams is None:
            raise ValueError("a request without beams is not searched")
        search = BeamSearch(
            draw.request.beams,
            start=draw.token_ids,
            max_new_tokens=draw.request.max_new_tokens,
            eos_ids=self._eos_ids,
        )
        self._groups.append(Group(search, rows))

    def keep(self, ids: Collection[int]) -> None:
        """Forgets the searches of all sequences but those with these `id()`s."""
        self._groups = [group for group in self._groups if id(group.rows[0].sequence) in ids]

    def advance(self, states_BM: torch.Tensor, rows: Seq[Row]) -> None:
        """Takes every search a token further; `rows` are all that run, in their slots, and so are `states_BM`."""
        if not self._groups:
            return
        slots = {id(row): slot for slot, row in enumerate(rows)}
        where = [slots[id(row)] for group in self._groups for row in group.rows]
        now = time.monotonic()
        for group, candidates in zip(self._groups, self._candidates(states_BM[where]), strict=True):
            sequence = group.rows[0].sequence
            if not candidates:
                for row in group.rows:
                    self._caches.clear(slots[id(row)])
                sequence.end(EngineFailed(NOT_FINITE))
            elif sequence.go_on(now):
                self._follow(group, group.search.advance(candidates), slots)
                if group.search.is_over:
                    self._tell(group, now)

    def _candidates(self, x_RM: torch.Tensor) -> list[list[Candidate]]:
        """Of each search, likeliest first; none where a row's scores are not finite. The host waits once for all."""
        rows = [row for group in self._groups for row in group.rows]
        scores_RV = self._output.scores(x_RM)
        best_R = scores_RV.amax(-1)
        logprobs_RV = scores_RV.log_softmax(-1)
        if any(row.draw.request.repetition_penalty != 1 for row in rows):
            penalise(logprobs_RV, [row.draw for row in rows])
        so_far = [score for group in self._groups for score in group.search.scores]
        sums_RV = logprobs_RV.add_(torch.tensor(so_far, device=x_RM.device)[:, None])
        # the likeliest of a search are among the likeliest of its rows, which one pass finds for all of them
        most = min(max(group.search.num_candidates for group in self._groups), sums_RV.shape[-1])
        sums_RC, tokens_RC = sums_RV.topk(most)
        parts, begin = [], 0
        for group in self._groups:
            end = begin + len(group.rows)
            sums_C, where_C = sums_RC[begin:end].flatten().topk(group.search.num_candidates)
            parts += [sums_C.double(), (where_C // most).double(), tokens_RC[begin:end].flatten()[where_C].double()]
            begin = end
        told = iter(torch.cat([best_R.double(), *parts]).tolist())
        is_finite = iter([math.isfinite(best) for best in islice(told, len(rows))])
        found = []
        for group in self._groups:
            sums, beams, tokens = ([*islice(told, group.search.num_candidates)] for _ in range(3))
            candidates = [
                Candidate(score, int(beam), int(token)) for score, beam, token in zip(sums, beams, tokens, strict=True)
            ]
            found.append(candidates if all([*islice(is_finite, len(group.rows))]) else [])
        return found

    def _follow(self, group: Group, parents: list[int], slots: dict[int, int]) -> None:
        """Gives each beam that goes on a row with its past: its parent's where that is free, else one that has no
        children, into which the past is copied."""
        free = [row for beam, row in enumerate(group.rows) if beam not in parents]
        taken: set[int] = set()
        following, sources, targets = [], [], []
        for parent in parents:
            row = group.rows[parent]
            if parent in taken:
                sources.append(slots[id(row)])
                row = free.pop()
                targets.append(slots[id(row)])
            taken.add(parent)
            following.append(row)
        self._caches.copy_answers(sources, targets, num_target=len(group.rows[0].draw.token_ids))
        for row, token_ids in zip(following, group.search.token_ids, strict=True):
            row.draw.token_ids = token_ids
        group.rows = following or group.rows

    def _tell(self, group: Group, now: float) -> None:
        sequence = group.rows[0].sequence
        for token in group.search.best:
            if not sequence.accept(token, is_eos=token in self._eos_ids, now=now):
                return
        sequence.end(EngineFailed("the beam search found no whole answer to this prompt"))
