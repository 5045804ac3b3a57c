"""How a T5's layers look to our own kernels. For models laid out in panels; knows addresses, computes nothing.

A view holds addresses: who makes one keeps the model alive.
"""

from __future__ import annotations

from serving.engine.caches import Caches
from serving.engine.panels import Int8PanelLinear, PanelLinear
from serving.native.library import (
    ACTIVATIONS,
    DecoderLayerView,
    EncoderLayerView,
    FeedForwardView,
    LinearView,
    Sizes,
)
from serving.t5 import T5, DecoderLayer, EncoderLayer, FeedForward, T5Config


def can_run(model: T5) -> bool:
    """Whether the model is laid out for the kernels."""
    return isinstance(model.decoder[0].qkv, PanelLinear | Int8PanelLinear)


def sizes(config: T5Config) -> Sizes:
    return Sizes(
        d_model=config.d_model,
        num_heads=config.num_heads,
        width=config.d_kv,
        d_ff=config.d_ff,
        is_gated=config.is_gated,
        activation=ACTIVATIONS[config.activation],
        epsilon=config.epsilon,
    )


def encoder_layer(config: T5Config, layer: EncoderLayer) -> EncoderLayerView:
    norm = layer.norm.weight_M.data_ptr()
    return EncoderLayerView(sizes(config), norm, _linear(layer.qkv), _linear(layer.out), _forward(layer.feed_forward))


def decoder_layer(layer: DecoderLayer, caches: Caches, index: int) -> DecoderLayerView:
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
