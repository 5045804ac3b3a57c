# ruff: noqa: N803 (shape-suffixed tensor names)
"""How weights lie in memory, by name, and the products over them. Knows tensors; knows no model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from serving.products.linear import Int8DynamicLinear, Int8WeightLinear, Linear, PlainLinear, Screen, WideLinear
from serving.products.panels import Int8PanelLinear, PanelLinear, PanelScreen
from serving.products.torch_cpu import Int8Linear, PackedLinear, ScreenedOutput

Layout = Literal["plain", "packed", "int8", "int8-dynamic", "int8-weights", "panels", "int8-panels"]

# none: as loaded. int8: weights, and activations as they come. int8-weights: the activations stay as they are.
Quantize = Literal["none", "int8", "int8-weights"]


def lay_out(weight_OK: torch.Tensor, layout: Layout) -> Linear:
    """Returns the product with `weight_OK`; the layouts other than plain hold a copy, so the original can go."""
    match layout:
        case "plain":
            return PlainLinear(weight_OK)
        case "packed":
            return PackedLinear(weight_OK.contiguous())
        case "int8":
            return Int8Linear(weight_OK.float())
        case "int8-dynamic":
            return Int8DynamicLinear(weight_OK)
        case "int8-weights":
            return Int8WeightLinear(weight_OK)
        case "panels":
            return PanelLinear(weight_OK)
        case "int8-panels":
            return Int8PanelLinear(weight_OK)


def lay_out_wide(weight_OK: torch.Tensor, layout: Layout) -> Linear:
    """As `lay_out`, for a float16 weight whose products overflow float16: they come in float32."""
    match layout:
        case "int8-dynamic":
            return Int8DynamicLinear(weight_OK, is_wide=True)
        case "int8-weights":
            return Int8WeightLinear(weight_OK, is_wide=True)
        case _:
            return WideLinear(weight_OK)


def screen_for(layout: Layout) -> Callable[[torch.Tensor], Screen] | None:
    """How the output layer's weights are screened beside a layout; None where they are not."""
    if layout in ("plain", "int8-dynamic", "int8-weights"):
        return None
    return PanelScreen if layout in ("panels", "int8-panels") else ScreenedOutput
