# ruff: noqa: N803 (shape-suffixed tensor names)
"""The encoder's layers by our own kernels, one call each. For models laid out in panels.

Knows where a model's numbers lie; knows no sequences. `T5.encode_slice` is the same computation in PyTorch.
"""

from __future__ import annotations

import ctypes

import torch

from serving.engine import native_layers
from serving.engine.panels import library
from serving.native.library import PromptsView, num_threads
from serving.t5 import T5


class NativeEncoder:
    """Raises ValueError for a model that is not laid out in panels."""

    def __init__(self, model: T5) -> None:
        self.device = model.device
        self._model = model
        self._layers = [native_layers.encoder_layer(model.config, layer) for layer in model.encoder]
        self._library = library()
        self._scratch = torch.empty(0)

    @property
    def num_layers(self) -> int:
        return self._model.num_layers

    @property
    def num_slices(self) -> int:
        return self._model.num_slices

    def embed(self, ids_N: torch.Tensor) -> torch.Tensor:
        return self._model.embed(ids_N)

    def encode_slice(self, index: int, x_NM: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """As `T5.encode_slice`; a layer's result takes the place of `x_NM`."""
        if index >= self.num_layers:
            return self._model.encode_slice(index, x_NM, lengths)
        longest, count = max(lengths), num_threads()
        bias_1HSS = self._model.encoder_bias(longest)
        lengths_P = torch.tensor(lengths)
        layer = ctypes.byref(self._layers[index])
        needed = self._library.t5_encoder_scratch(layer, len(x_NM), longest, count)
        if needed > len(self._scratch):
            self._scratch = torch.empty(needed)
        prompts = PromptsView(
            x=x_NM.data_ptr(),
            lengths=lengths_P.data_ptr(),
            num_prompts=len(lengths),
            num_tokens=len(x_NM),
            longest=longest,
            bias=bias_1HSS.data_ptr(),
            room=bias_1HSS.shape[-1],
            num_threads=count,
            scratch=self._scratch.data_ptr(),
        )
        self._library.t5_encode(layer, ctypes.byref(prompts))
        return self._model.encoder_norm(x_NM) if index == self.num_layers - 1 else x_NM
