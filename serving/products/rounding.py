# ruff: noqa: N803 (shape-suffixed tensor names)
"""What int8 keeps of weights. Knows tensors; knows no products."""

from __future__ import annotations

import torch


def rounded_to_int8(weight_OK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Integers of -127 to 127, int8 [O, K], and float32 scales [O, 1]: their product is as near as int8 comes."""
    weight_OK = weight_OK.float()
    scales_O1 = weight_OK.abs().amax(1, keepdim=True).clamp_(min=1e-12).div_(127)
    return torch.round(weight_OK / scales_O1).clamp_(-127, 127).to(torch.int8), scales_O1
