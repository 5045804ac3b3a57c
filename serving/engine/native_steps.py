"""Decoder steps by our own kernels: one call for all layers and all rows. For models laid out in panels.

Knows where a model's and its caches' numbers lie; knows no sequences, no sampling. `T5.decode` is the same
computation in PyTorch.
"""

from __future__ import annotations

import ctypes

import torch

from serving.engine import native_layers
from serving.engine.caches import Caches
from serving.engine.panels import library
from serving.native.library import DecoderLayerView, DecoderView, StepView, num_threads
from serving.t5 import T5


class NativeSteps:
    """Raises ValueError for a model that is not laid out in panels."""

    def __init__(self, model: T5, caches: Caches) -> None:
        config = model.config
        bias_HR = model.decoder_bias(caches.max_target).float().contiguous()
        final_norm_M = model.decoder_norm.weight_M * (config.d_model**-0.5 if config.scale_outputs else 1.0)
        # the structures below hold addresses: what they point to must stay
        self._kept = (model, caches, bias_HR, final_norm_M)
        self._layers = (DecoderLayerView * len(model.decoder))(
            *(native_layers.decoder_layer(layer, caches, index) for index, layer in enumerate(model.decoder))
        )
        self._decoder = DecoderView(
            sizes=native_layers.sizes(config),
            layers=self._layers,
            num_layers=len(model.decoder),
            embedding=model.embedding_VM.data_ptr(),
            final_norm=final_norm_M.data_ptr(),
            bias=bias_HR.data_ptr(),
            max_source=caches.max_source,
            max_target=caches.max_target,
            holds_halves=caches.self_keys[0].dtype == torch.float16,
        )
        self._d_model = config.d_model
        self._library = library()
        self._scratch = torch.empty(0)

    def run(self, tokens: list[int], positions: list[int], num_sources: list[int]) -> torch.Tensor:
        num_rows, count = len(tokens), num_threads()
        needed = self._library.t5_step_scratch(ctypes.byref(self._decoder), num_rows, count)
        if needed > len(self._scratch):
            self._scratch = torch.empty(needed)
        numbers = torch.tensor([tokens, positions, num_sources])
        states = torch.empty(num_rows, self._d_model)
        step = StepView(
            *(row.data_ptr() for row in numbers), num_rows, count, states.data_ptr(), self._scratch.data_ptr()
        )
        self._library.t5_step(ctypes.byref(self._decoder), ctypes.byref(step))
        return states
