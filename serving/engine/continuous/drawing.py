# ruff: noqa: N803 (shape-suffixed tensor names)
"""Draws the next token of every row of a batch at once, each by its own parameters.

Knows tensors; knows no model, no scheduler. The rules are those of transformers' logits processors, in their order:
repetition penalty, temperature, top-k, top-p, draw; the last four are `sampling`'s.

A draw uses one number from [0, 1) that belongs to the sequence, made by its own generator on the host: the same
seed gives the same tokens on a CPU and on a GPU, alone and in any batch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import Protocol

import torch

from serving.engine.continuous.sampling import Settings, sample
from serving.request import ValidRequest
from serving.sequence import LEAST_LOGPROB, Likelihood

# B rows of the batch, M width of their states, R some of its rows, P those with a penalty, V vocabulary, T tokens so
# far (start token included).


@dataclass(slots=True)
class Draw:
    """What one row's next token depends on besides its scores. token_ids: start token and all generated ones.

    likelihood: of the token drawn last, where the request wants to know it.
    """

    request: ValidRequest
    token_ids: list[int]
    chance: random.Random = field(init=False)
    likelihood: Likelihood | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        seed = self.request.sampling.seed if self.request.sampling else None
        self.chance = random.Random(seed)  # noqa: S311 (tokens, not secrets)

    @property
    def needs_scores(self) -> bool:
        """More is wanted than the likeliest token: a draw, a penalty, or what tokens' probabilities are."""
        request = self.request
        return request.sampling is not None or request.repetition_penalty != 1 or request.num_logprobs is not None


class Output(Protocol):
    """The model's output layer over the states [B, M] of a step. `best` only where `has_best`."""

    @property
    def has_best(self) -> bool: ...

    def best(self, x_BM: torch.Tensor) -> tuple[list[int], list[float]]: ...

    def scores(self, x_BM: torch.Tensor) -> torch.Tensor: ...


def draw(x_BM: torch.Tensor, rows: Seq[Draw], output: Output) -> tuple[list[int], list[bool]]:
    """Returns each row's next token, and whether its scores were finite.

    On a GPU this is the only place of a step at which the host waits.
    """
    if not output.has_best:
        return _draw_mixed(output.scores(x_BM), rows)
    plain = [index for index, row in enumerate(rows) if not row.needs_scores]
    tokens, finite = [0] * len(rows), [False] * len(rows)
    if plain:
        everything = len(plain) == len(rows)
        best_tokens, best_scores = output.best(x_BM if everything else x_BM[plain])
        for index, token, score in zip(plain, best_tokens, best_scores, strict=True):
            tokens[index], finite[index] = token, math.isfinite(score)
    if len(plain) < len(rows):
        others = [index for index, row in enumerate(rows) if row.needs_scores]
        drawn = _draw_mixed(output.scores(x_BM[others]), [rows[index] for index in others])
        for index, token, is_finite in zip(others, *drawn, strict=True):
            tokens[index], finite[index] = token, is_finite
    return tokens, finite


def _draw_mixed(scores_BV: torch.Tensor, rows: Seq[Draw]) -> tuple[list[int], list[bool]]:
    # NaN or +inf anywhere makes the row's maximum NaN or +inf
    best_B = scores_BV.amax(-1)
    penalised = [index for index, row in enumerate(rows) if row.request.repetition_penalty != 1]
    sampled = [index for index, row in enumerate(rows) if row.request.sampling is not None]
    greedy = [index for index, row in enumerate(rows) if row.request.sampling is None]
    adjusted_BV = scores_BV
    if penalised:
        less_PV = _at(scores_BV, penalised).clone()
        penalise(less_PV, [rows[index] for index in penalised])
        adjusted_BV = scores_BV.index_put((_places(penalised, scores_BV),), less_PV)
    tokens_B = torch.empty(len(rows), dtype=torch.int64, device=scores_BV.device)
    if greedy:
        tokens_B[_places(greedy, scores_BV)] = _at(adjusted_BV, greedy).argmax(-1)
    if sampled:
        samplings = [sampling for row in rows if (sampling := row.request.sampling) is not None]
        uniform = [rows[index].chance.random() for index in sampled]
        settings = Settings.of(samplings, uniform, scores_BV.device)
        tokens_B[_places(sampled, scores_BV)] = sample(_at(adjusted_BV, sampled), settings)
    both_2B = torch.stack([tokens_B, torch.isfinite(best_B).long()])
    tokens, finite = both_2B.tolist()
    _tell_likelihoods(scores_BV, rows, tokens)
    return tokens, [bool(value) for value in finite]


def _places(indices: list[int], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(indices, device=like.device)


def _at(scores_BV: torch.Tensor, indices: list[int]) -> torch.Tensor:
    """These rows; all of them without a copy."""
    return scores_BV if len(indices) == len(scores_BV) else scores_BV[_places(indices, scores_BV)]


def _tell_likelihoods(scores_BV: torch.Tensor, rows: Seq[Draw], tokens: list[int]) -> None:
    """Of the model's own distribution: before penalty, temperature, top-k and top-p."""
    wanting = [index for index, row in enumerate(rows) if row.request.num_logprobs is not None]
    if not wanting:
        return
    where_R = torch.tensor(wanting, device=scores_BV.device)
    logprobs_RV = scores_BV[where_R].float().log_softmax(-1).clamp_min_(LEAST_LOGPROB)
    num_top = min(max(rows[index].request.num_logprobs or 0 for index in wanting), scores_BV.shape[-1])
    taken_R1 = torch.tensor([[tokens[index]] for index in wanting], device=scores_BV.device)
    top_RK = logprobs_RV.topk(num_top)
    taken, best, ids = logprobs_RV.gather(1, taken_R1)[:, 0].tolist(), top_RK.values.tolist(), top_RK.indices.tolist()
    for place, index in enumerate(wanting):
        num = rows[index].request.num_logprobs or 0
        rows[index].likelihood = Likelihood(taken[place], tuple(zip(ids[place][:num], best[place][:num], strict=True)))


def penalise(scores_RV: torch.Tensor, rows: list[Draw]) -> None:
    """Makes tokens that were generated less likely, the start token included, as transformers counts them."""
    longest = max(len(row.token_ids) for row in rows)
    # the start token, again: a token that stands there twice is penalised once
    padded = [[*row.token_ids, *[row.token_ids[0]] * (longest - len(row.token_ids))] for row in rows]
    ids_RT = torch.tensor(padded, device=scores_RV.device)
    penalty_R1 = torch.tensor([[row.request.repetition_penalty] for row in rows], device=scores_RV.device)
    seen_RT = scores_RV.gather(1, ids_RT)
    scores_RV.scatter_(1, ids_RT, torch.where(seen_RT < 0, seen_RT * penalty_R1, seen_RT / penalty_R1))
