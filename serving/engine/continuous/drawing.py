# ruff: noqa: N803 (shape-suffixed tensor names)
"""Draws the next token of every row of a batch at once, each by its own parameters.

Knows tensors and `Sampling`; knows no model, no scheduler. The rules are those of transformers' logits processors,
in their order: repetition penalty, temperature, top-k, top-p, draw.

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

from serving.request import ValidRequest
from serving.sequence import LEAST_LOGPROB, Likelihood

# B rows of the batch, M width of their states, R rows of it that are not plain greedy, V vocabulary,
# T tokens so far (start token included).


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
    def is_plain(self) -> bool:
        """Greedy without penalty: the likeliest token, and nothing to compute."""
        return self.request.sampling is None and self.request.repetition_penalty == 1

    @property
    def needs_scores(self) -> bool:
        """More is wanted than the likeliest token."""
        return not self.is_plain or self.request.num_logprobs is not None


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
    chosen = [index for index, row in enumerate(rows) if not row.is_plain]
    # NaN or +inf anywhere makes the row's maximum NaN or +inf
    best_B, tokens_B = scores_BV.max(-1)
    if chosen:
        where_R = torch.tensor(chosen, device=scores_BV.device)
        tokens_B[where_R] = _draw_rows(scores_BV[where_R], [rows[index] for index in chosen])
    both_2B = torch.stack([tokens_B, torch.isfinite(best_B).long()])
    tokens, finite = both_2B.tolist()
    _tell_likelihoods(scores_BV, rows, tokens)
    return tokens, [bool(value) for value in finite]


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


def _draw_rows(scores_RV: torch.Tensor, rows: list[Draw]) -> torch.Tensor:
    """Tokens [R]. A row that does not sample gets its likeliest token after the penalty."""
    device = scores_RV.device
    if any(row.request.repetition_penalty != 1 for row in rows):
        penalise(scores_RV, rows)
    sampled = [index for index, row in enumerate(rows) if row.request.sampling is not None]
    tokens_R = scores_RV.argmax(-1)
    if not sampled:
        return tokens_R
    settings = [rows[index].request.sampling for index in sampled]
    uniform = [rows[index].chance.random() for index in sampled]
    numbers_4R = torch.tensor(
        [
            [s.temperature for s in settings if s],
            [float(s.top_k) for s in settings if s],
            [s.top_p for s in settings if s],
            uniform,
        ],
        dtype=torch.float64,
    ).to(device)
    temperature_R, top_k_R, top_p_R, uniform_R = numbers_4R
    # rows that are not finite are reported by `draw`; here they must not spoil a sort
    kept_RV = scores_RV[torch.tensor(sampled, device=device)].nan_to_num_(0, 0, 0) / temperature_R[:, None].float()
    largest_k = max(s.top_k for s in settings if s)
    if largest_k:
        _keep_top_k(kept_RV, top_k_R.long(), min(largest_k, kept_RV.shape[-1]))
    if any(s.top_p < 1 for s in settings if s):
        _keep_top_p(kept_RV, top_p_R.float())
    tokens_R[torch.tensor(sampled, device=device)] = _pick(kept_RV, uniform_R)
    return tokens_R


def penalise(scores_RV: torch.Tensor, rows: list[Draw]) -> None:
    """Makes tokens that were generated less likely, the start token included, as transformers counts them."""
    longest = max(len(row.token_ids) for row in rows)
    # the start token, again: a token that stands there twice is penalised once
    padded = [[*row.token_ids, *[row.token_ids[0]] * (longest - len(row.token_ids))] for row in rows]
    ids_RT = torch.tensor(padded, device=scores_RV.device)
    penalty_R1 = torch.tensor([[row.request.repetition_penalty] for row in rows], device=scores_RV.device)
    seen_RT = scores_RV.gather(1, ids_RT)
    scores_RV.scatter_(1, ids_RT, torch.where(seen_RT < 0, seen_RT * penalty_R1, seen_RT / penalty_R1))


def _keep_top_k(scores_RV: torch.Tensor, top_k_R: torch.Tensor, largest_k: int) -> None:
    """Drops what is less likely than a row's k-th token; ties with it stay. 0 keeps all."""
    best_RK = scores_RV.topk(largest_k).values
    least_R1 = best_RK.gather(1, (top_k_R.clamp(1, largest_k) - 1)[:, None])
    least_R1.masked_fill_((top_k_R == 0)[:, None], -torch.inf)
    scores_RV.masked_fill_(scores_RV < least_R1, -torch.inf)


def _keep_top_p(scores_RV: torch.Tensor, top_p_R: torch.Tensor) -> None:
    """Drops the unlikeliest tokens that together have at most 1 - p, never the likeliest one. p = 1 keeps all."""
    ascending_RV, order_RV = scores_RV.sort(-1)
    is_dropped_RV = ascending_RV.softmax(-1).cumsum(-1) <= (1 - top_p_R)[:, None]
    is_dropped_RV[:, -1] = False
    is_dropped_RV &= (top_p_R < 1)[:, None]
    scores_RV.masked_fill_(is_dropped_RV.scatter(1, order_RV, is_dropped_RV), -torch.inf)


def _pick(scores_RV: torch.Tensor, uniform_R: torch.Tensor) -> torch.Tensor:
    """The token at whose probability the running sum passes `uniform`."""
    sums_RV = scores_RV.softmax(-1).double().cumsum(-1)
    marks_R1 = (uniform_R * sums_RV[:, -1])[:, None]
    tokens_R: torch.Tensor = torch.searchsorted(sums_RV, marks_R1, right=True)[:, 0]
    return tokens_R.clamp_(max=scores_RV.shape[-1] - 1)
