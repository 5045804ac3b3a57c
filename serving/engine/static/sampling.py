# ruff: noqa: N803 (shape-suffixed tensor names)
"""Draws each row's next token by that row's own parameters, inside one `transformers` batch.

Knows tensors and `transformers`' logits processors; knows no scheduler, no text, no HTTP.
Imports torch and transformers, so only the loader's and the engine's threads import it.
"""

from __future__ import annotations

import torch
from transformers import (
    LogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from serving.request import Sampling, ValidRequest
from serving.sequence import LEAST_LOGPROB, Likelihood

# B batch, T tokens so far (start token included), V vocabulary.


class RowSampler:
    """One row's processors and its own random state, so that its draw does not depend on who shares the batch.

    num_pads: tokens in front of its prompt that only fill the batch; no penalty may count them.
    """

    def __init__(self, request: ValidRequest, *, device: torch.device, num_pads: int = 0) -> None:
        self._num_pads = num_pads
        self.num_logprobs = request.num_logprobs
        self._penalty = (
            RepetitionPenaltyLogitsProcessor(request.repetition_penalty) if request.repetition_penalty != 1 else None
        )
        self._warpers = _warpers(request.sampling) if request.sampling else []
        self._generator: torch.Generator | None = None
        if request.sampling is not None:
            self._generator = torch.Generator(device)
            if request.sampling.seed is None:
                self._generator.seed()
            else:
                self._generator.manual_seed(request.sampling.seed)

    @property
    def is_plain(self) -> bool:
        """Greedy without penalty: the scores stay as they are."""
        return self._penalty is None and self._generator is None

    def __call__(self, ids_1T: torch.Tensor, scores_1V: torch.Tensor) -> torch.Tensor:
        if self._penalty is not None:
            scores_1V = self._penalty(ids_1T[:, self._num_pads :], scores_1V)
        if self._generator is None:
            return scores_1V
        for warper in self._warpers:
            scores_1V = warper(ids_1T, scores_1V)
        drawn = torch.multinomial(scores_1V.softmax(-1), 1, generator=self._generator)
        # generate() then takes the likeliest token, which is now the drawn one
        return torch.full_like(scores_1V, -torch.inf).scatter_(-1, drawn, 0.0)


class BatchSampler(LogitsProcessor):  # type: ignore[misc]
    """Applies each row's sampler; remembers the rows whose scores were not finite, and likelihoods where wanted."""

    def __init__(self, samplers: list[RowSampler]) -> None:
        self._samplers = samplers
        self._logprobs: dict[int, torch.Tensor] = {}
        self.broken: set[int] = set()

    def likelihood(self, row: int, token: int) -> Likelihood | None:
        """Of the token that the row took at this step, in the model's own distribution."""
        num_top = self._samplers[row].num_logprobs
        if num_top is None or row not in self._logprobs:
            return None
        logprobs_V = self._logprobs[row]
        top_K = logprobs_V.topk(min(num_top, len(logprobs_V)))
        pairs = zip(top_K.indices.tolist(), top_K.values.tolist(), strict=True)
        return Likelihood(logprobs_V[token].item(), tuple(pairs))

    def __call__(self, ids_BT: torch.Tensor, scores_BV: torch.Tensor) -> torch.Tensor:
        # NaN or +inf anywhere makes the row's maximum NaN or +inf
        is_finite = torch.isfinite(scores_BV.amax(-1)).tolist()
        self.broken |= {row for row, finite in enumerate(is_finite) if not finite}
        self._logprobs = {
            row: scores_BV[row].float().log_softmax(-1).clamp_min_(LEAST_LOGPROB)
            for row, sampler in enumerate(self._samplers)
            if sampler.num_logprobs is not None and row not in self.broken
        }
        if not self.broken and all(sampler.is_plain for sampler in self._samplers):
            return scores_BV
        scores_BV = scores_BV.clone()
        for row, sampler in enumerate(self._samplers):
            if row in self.broken:
                scores_BV[row] = 0.0
            elif not sampler.is_plain:
                scores_BV[row] = sampler(ids_BT[row : row + 1], scores_BV[row : row + 1])[0]
        return scores_BV


def _warpers(sampling: Sampling) -> list[LogitsProcessor]:
    """In the order of `transformers.generate`: temperature, then top-k, then top-p."""
    warpers: list[LogitsProcessor] = []
    if sampling.temperature != 1:
        warpers.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k > 0:
        warpers.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    return warpers
