# ruff: noqa: N803 (shape-suffixed tensor names)
"""Products with weights as the model asks for them, and those that any device computes. Knows tensors; knows no model.

`panels` and `torch_cpu` have the fast ones for CPUs.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch.nn import functional as F

# N rows, K inputs, O outputs.


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


class Int8WeightLinear:
    """int8 weights with one scale per output, widened for each product. Any device, any precision of the inputs.

    For memory, not for speed: the widened weight is written and read again, so a step moves two and a half times the
    bytes of 16-bit weights. is_wide: compute and give float32, as `WideLinear`.
    """

    def __init__(self, weight_OK: torch.Tensor, *, is_wide: bool = False) -> None:
        scales_O1 = weight_OK.float().abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
        self._integers_OK = torch.round(weight_OK.float() / scales_O1).clamp(-127, 127).to(torch.int8)
        self._dtype = torch.float32 if is_wide else weight_OK.dtype
        # not the product is scaled, but the weight: in float16 a product with 127 times its size may overflow
        self._scales_O1 = scales_O1.to(self._dtype)
        self.num_bytes = self._integers_OK.nbytes + self._scales_O1.nbytes

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        return F.linear(x_NK.to(self._dtype), self._integers_OK.to(self._dtype).mul_(self._scales_O1))
