# ruff: noqa: N803, N815 (shape-suffixed tensor names)
"""Draws a token from each row of scores, by temperature, top-k and top-p as transformers' logits processors have them.

Knows tensors and `Sampling`; knows no sequences, no model. A row's token is the one at which the running sum of its
probabilities, likeliest first, passes the row's number from [0, 1). So hardly ever is more than the likeliest few
looked at: a sort of a whole vocabulary would take longer than the decoder. Where all tokens may be drawn, those
beyond the likeliest few need no order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Seq
from dataclasses import dataclass

import torch

from serving.request import Sampling

# R rows, V vocabulary, K the likeliest tokens of a row, likeliest first.

FIRST_LOOK = 64
WIDER = 8  # times as many, where those do not decide


@dataclass(frozen=True, slots=True)
class Settings:
    """Of rows, each [R] on their device. uniform: float64 from [0, 1)."""

    temperature_R: torch.Tensor
    top_k_R: torch.Tensor
    top_p_R: torch.Tensor
    uniform_R: torch.Tensor

    @classmethod
    def of(cls, samplings: Seq[Sampling], uniform: Seq[float], device: torch.device) -> Settings:
        """With one copy to the device."""
        temperature, top_k, top_p = zip(*((one.temperature, one.top_k, one.top_p) for one in samplings), strict=True)
        numbers_4R = torch.tensor([temperature, top_k, top_p, uniform], dtype=torch.float64).to(device)
        return cls(*numbers_4R)

    @property
    def are_free(self) -> torch.Tensor:
        """Rows of which all tokens may be drawn, [R]."""
        return (self.top_k_R == 0) & (self.top_p_R >= 1)

    def at(self, where_R: torch.Tensor) -> Settings:
        return Settings(
            self.temperature_R[where_R], self.top_k_R[where_R], self.top_p_R[where_R], self.uniform_R[where_R]
        )


def sample(scores_RV: torch.Tensor, settings: Settings) -> torch.Tensor:
    """A token of each row, int64 [R]; of a row that is not finite any. What a row gets depends on no other row."""
    scaled_RV = scores_RV / settings.temperature_R[:, None].float()
    num_tokens = scaled_RV.shape[1]
    total_R = scaled_RV.logsumexp(-1).nan_to_num_(0, 0, 0)
    tokens_R = torch.empty(len(scaled_RV), dtype=torch.int64, device=scaled_RV.device)
    # on a GPU whoever asks whether all are decided waits for it, and a sort takes less than that
    num_looked = num_tokens if scaled_RV.is_cuda else min(FIRST_LOOK, num_tokens)
    left_R = torch.arange(len(scaled_RV), device=scaled_RV.device)
    while num_looked < num_tokens:
        best_RK = scaled_RV[left_R].topk(num_looked)
        place_R, is_decided_R = _pick(best_RK.values, settings.at(left_R), total_R=total_R[left_R])
        tokens_R[left_R] = best_RK.indices.gather(1, place_R[:, None])[:, 0]
        is_free_R = ~is_decided_R & settings.are_free[left_R]
        if is_free_R.any():
            free_R = left_R[is_free_R]
            tokens_R[free_R] = _pick_beyond(
                scaled_RV[free_R], best_RK.indices[is_free_R], settings.uniform_R[free_R], total_R=total_R[free_R]
            )
        left_R = left_R[~(is_decided_R | is_free_R)]
        if not len(left_R):
            return tokens_R
        num_looked = min(WIDER * num_looked, num_tokens)
    all_RV = scaled_RV[left_R].sort(dim=-1, descending=True, stable=True)
    place_R, _ = _pick(all_RV.values, settings.at(left_R), total_R=total_R[left_R], are_all=True)
    tokens_R[left_R] = all_RV.indices.gather(1, place_R[:, None])[:, 0]
    return tokens_R


def _pick(
    scores_RK: torch.Tensor, settings: Settings, *, total_R: torch.Tensor, are_all: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places [R] among a row's K likeliest, and whether further tokens could not change them.

    total_R: the logarithm of the sum of all tokens' exponentials. are_all: there are no further tokens.
    """
    scores_RK = scores_RK.nan_to_num(0, 0, -math.inf)  # a row that is not finite draws something, and spoils nothing
    has_k_R, has_p_R = settings.top_k_R > 0, settings.top_p_R < 1
    num_looked = scores_RK.shape[1]
    last_R1 = settings.top_k_R.long().clamp(1, num_looked)[:, None] - 1
    least_R = torch.where(has_k_R, scores_RK.gather(1, last_R1)[:, 0], -math.inf)
    # ties with the k-th stay
    weights_RK = (scores_RK - total_R[:, None]).exp().double() * (scores_RK >= least_R[:, None])
    sums_RK = weights_RK.cumsum(-1)
    mass_R = sums_RK[:, -1] if are_all else torch.where(has_k_R, sums_RK[:, -1], 1.0)
    # who follows so many that they reach p together goes; the likeliest never
    is_kept_RK = (weights_RK > 0) & (sums_RK - weights_RK < (settings.top_p_R * mass_R)[:, None])
    num_kept_R = is_kept_RK.sum(-1).clamp(min=1)
    mass_R = torch.where(has_p_R, sums_RK.gather(1, num_kept_R[:, None] - 1)[:, 0], mass_R)
    place_R = torch.searchsorted(sums_RK, (settings.uniform_R * mass_R)[:, None], right=True)[:, 0]
    knows_k_R = ~has_k_R | (scores_RK[:, -1] < least_R)
    knows_p_R = ~has_p_R | (num_kept_R < num_looked)
    return torch.minimum(place_R, num_kept_R - 1), (place_R < num_kept_R) & knows_k_R & knows_p_R


def _pick_beyond(
    scores_RV: torch.Tensor, best_RK: torch.Tensor, uniform_R: torch.Tensor, *, total_R: torch.Tensor
) -> torch.Tensor:
    """Tokens [R] other than a row's likeliest, `best_RK`, whose probabilities do not add up to its number."""
    weights_RV = (scores_RV - total_R[:, None]).nan_to_num_(0, 0, -math.inf).exp_()
    known_R = weights_RV.gather(1, best_RK).double().sum(-1)
    sums_RV = weights_RV.scatter_(1, best_RK, 0).double().cumsum_(-1)
    part_R = ((uniform_R - known_R) / (1 - known_R).clamp(min=1e-12)).clamp(0, 1 - 2**-53)
    tokens_R: torch.Tensor = torch.searchsorted(sums_RV, (part_R * sums_RV[:, -1])[:, None], right=True)[:, 0]
    return tokens_R.clamp_(max=scores_RV.shape[1] - 1)
