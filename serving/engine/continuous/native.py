# ruff: noqa: N803 (shape-suffixed tensor names)
"""A T5's decoder steps and encoder slices by our own kernels, a call each. For models laid out in panels.

Knows where a model's and its caches' numbers lie; knows no sequences, no sampling. `T5.decode` and `T5.encode_slice`
are the same computations in PyTorch. A view holds addresses: who makes one keeps what it points to alive.
"""

from __future__ import annotations

import ctypes

import torch

from serving.engine.continuous.caches import Caches
from serving.native.library import (
    ACTIVATIONS,
    DecoderLayerView,
    DecoderView,
    EncoderLayerView,
    FeedForwardView,
    LinearView,
    PromptsView,
    Sizes,
    StepView,
    num_threads,
)
from serving.products.panels import Int8PanelLinear, PanelLinear, library
from serving.t5 import T5, DecoderLayer, EncoderLayer, FeedForward, T5Config


def can_run(model: T5) -> bool:
    """Whether the model is laid out for the kernels."""
    return isinstance(model.decoder[0].qkv, PanelLinear | Int8PanelLinear)


class NativeSteps:
    """Raises ValueError for a model that is not laid out in panels."""

    def __init__(self, model: T5, caches: Caches) -> None:
        config = model.config
        bias_HR = model.decoder_bias(caches.max_target).float().contiguous()
        final_norm_M = model.decoder_norm.weight_M * (config.d_model**-0.5 if config.scale_outputs else 1.0)
        # the structures below hold addresses: what they point to must stay
        self._kept = (model, caches, bias_HR, final_norm_M)
        self._layers = (DecoderLayerView * len(model.decoder))(
            *(_decoder_layer(layer, caches, index) for index, layer in enumerate(model.decoder))
        )
        self._decoder = DecoderView(
            sizes=_sizes(config),
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


class NativeEncoder:
    """Raises ValueError for a model that is not laid out in panels."""

    def __init__(self, model: T5) -> None:
        self.device = model.device
        self._model = model
        self._layers = [_encoder_layer(model.config, layer) for layer in model.encoder]
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


def _sizes(config: T5Config) -> Sizes:
    return Sizes(
        d_model=config.d_model,
        num_heads=config.num_heads,
        width=config.d_kv,
        d_ff=config.d_ff,
        is_gated=config.is_gated,
        activation=ACTIVATIONS[config.activation],
        epsilon=config.epsilon,
    )


def _encoder_layer(config: T5Config, layer: EncoderLayer) -> EncoderLayerView:
    norm = layer.norm.weight_M.data_ptr()
    return EncoderLayerView(_sizes(config), norm, _linear(layer.qkv), _linear(layer.out), _forward(layer.feed_forward))


def _decoder_layer(layer: DecoderLayer, caches: Caches, index: int) -> DecoderLayerView:
    linears = (layer.qkv, layer.self_out, layer.cross_q, layer.cross_out)
    tensors = (caches.self_keys, caches.self_values, caches.cross_keys, caches.cross_values)
    return DecoderLayerView(
        layer.self_norm.weight_M.data_ptr(),
        layer.cross_norm.weight_M.data_ptr(),
        *map(_linear, linears),
        _forward(layer.feed_forward),
        *(layers[index].data_ptr() for layers in tensors),
    )


def _forward(layer: FeedForward) -> FeedForwardView:
    return FeedForwardView(layer.norm.weight_M.data_ptr(), _linear(layer.up), _linear(layer.down))


def _linear(linear: object) -> LinearView:
    if isinstance(linear, PanelLinear | Int8PanelLinear):
        return linear.view
    raise ValueError(f"a product of kind {type(linear).__name__} is not laid out for the kernels")
