"""Decoder steps as the engine asks for them, by PyTorch's operations. `native` and `graphs` have the fast ones.

Knows the model and the caches; knows no sequences, no sampling.
"""

from __future__ import annotations

from typing import Protocol

import torch

from serving.engine.continuous.caches import Caches, View
from serving.t5 import T5, rounded


class Steps(Protocol):
    """tokens: the last of each row, in the slots 0 to B-1. positions: where they stand, from 0. num_sources: tokens
    of each row's prompt. Returns states [B, M]; the next step may write over them."""

    def run(self, tokens: list[int], positions: list[int], num_sources: list[int]) -> torch.Tensor: ...


class EagerSteps:
    """Any device, any layout."""

    def __init__(self, model: T5, caches: Caches) -> None:
        self._model = model
        self._caches = caches
        self._bias_HR = model.decoder_bias(caches.max_target)

    def run(self, tokens: list[int], positions: list[int], num_sources: list[int]) -> torch.Tensor:
        d_kv = self._model.config.d_kv
        view = View(
            self._caches,
            self._bias_HR,
            torch.tensor(positions),
            num_keys=rounded(max(positions) + 1, d_kv),
            num_source=rounded(max(num_sources), d_kv),
        )
        return self._model.decode(torch.tensor(tokens), view)
