# ruff: noqa: N803 (shape-suffixed tensor names)
"""Products with weights as the model asks for them, and those that any device computes. Knows tensors; knows no model.

`panels` and `torch_cpu` have the fast ones for CPUs.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch.nn import functional as F

from serving.products.rounding import rounded_to_int8

# N rows, K inputs, O outputs.

# What cuBLAS takes for int8 on every GPU that has it: rows at least, inputs and outputs a multiple of.
INT8_ROWS = 32
INT8_WIDTHS = 16


class Linear(Protocol):
    """x_NK -> x_NO, without a bias: T5 has none."""

    num_bytes: int

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor: ...


class Screen(Protocol):
    """The likeliest output of each row and its score, without the scores of all others."""

    num_bytes: int

    def best(self, x_NK: torch.Tensor) -> tuple[list[int], list[float]]: ...


class PlainLinear:
    """The weight as it is; cuBLAS on a GPU."""

    def __init__(self, weight_OK: torch.Tensor) -> None:
        self._weight_OK = weight_OK
        self.num_bytes = weight_OK.nbytes

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        return F.linear(x_NK, self._weight_OK)


class WideLinear:
    """For float16: products that overflow it are computed and given in float32 (T5's `wo`; transformers #20287)."""

    def __init__(self, weight_OK: torch.Tensor) -> None:
        self._weight_OK = weight_OK.float()
        self.num_bytes = self._weight_OK.nbytes

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        return F.linear(x_NK.float(), self._weight_OK)


class Int8DynamicLinear:
    """int8 weights with one scale per output, int8 activations with one scale per row, found as they come. Any device,
    any precision of the inputs.

    Sums of integers are exact: a row's result is the same to the last bit whatever rows are beside it. On a GPU the
    product is cuBLAS's, which refuses few rows and odd widths: zeros make them up, on every device.
    is_wide: give float32, as `WideLinear`.
    """

    def __init__(self, weight_OK: torch.Tensor, *, is_wide: bool = False) -> None:
        integers_OK, scales_O1 = rounded_to_int8(weight_OK)
        self._num_outputs, self._num_inputs = weight_OK.shape
        more_O, more_K = -self._num_outputs % INT8_WIDTHS, -self._num_inputs % INT8_WIDTHS
        self._integers_KO = F.pad(integers_OK, (0, more_K, 0, more_O)).T
        self._scales_O = scales_O1[:, 0]
        self._dtype = torch.float32 if is_wide else weight_OK.dtype
        self.num_bytes = self._integers_KO.nbytes + self._scales_O.nbytes

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        num_rows = x_NK.shape[0]
        scales_N1 = torch.linalg.vector_norm(x_NK, ord=math.inf, dim=1, keepdim=True, dtype=torch.float32)
        scales_N1 = scales_N1.clamp(min=1e-12) / 127
        integers_NK = torch.round(x_NK / scales_N1).to(torch.int8)
        rows = F.pad(integers_NK, (0, self._integers_KO.shape[0] - self._num_inputs, 0, max(0, INT8_ROWS - num_rows)))
        sums_NO: torch.Tensor = torch._int_mm(rows, self._integers_KO)[:num_rows, : self._num_outputs]
        # by the row's scale first: a row that is not finite has one that is not, and must not come out as numbers
        result_NO: torch.Tensor = (sums_NO * scales_N1).mul_(self._scales_O)
        return result_NO.to(self._dtype)


class Int8WeightLinear:
    """int8 weights with one scale per output, widened for each product. Any device, any precision of the inputs.

    For memory, not for speed: the widened weight is written and read again, so a step moves two and a half times the
    bytes of 16-bit weights. is_wide: compute and give float32, as `WideLinear`.
    """

    def __init__(self, weight_OK: torch.Tensor, *, is_wide: bool = False) -> None:
        self._integers_OK, scales_O1 = rounded_to_int8(weight_OK)
        self._dtype = torch.float32 if is_wide else weight_OK.dtype
        # not the product is scaled, but the weight: in float16 a product with 127 times its size may overflow
        self._scales_O1 = scales_O1.to(self._dtype)
        self.num_bytes = self._integers_OK.nbytes + self._scales_O1.nbytes

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        return F.linear(x_NK.to(self._dtype), self._integers_OK.to(self._dtype).mul_(self._scales_O1))
