# ruff: noqa: N803 (shape-suffixed tensor names)
"""Products with weights on CPUs by PyTorch's operations, for machines that have not our own kernels (`panels`).

Knows tensors; knows no model. They promise more than speed: a row's result is the same to the last bit whatever other
rows are multiplied with it, so that no sequence depends on who shares its batch. tests/serving/products holds that
promise on the machine at hand.
"""

from __future__ import annotations

import warnings

import torch
from torch.nn import functional as F

from serving.products.rounding import rounded_to_int8

# N rows, K inputs, O outputs.

# oneDNN picks its blocking for this number of rows; from 2 on, the choice is the same and holds for any number.
PACKED_FOR_ROWS = 16


class PackedLinear:
    """float32 on a CPU: the weight in oneDNN's blocked layout.

    Two to three times faster than `F.linear` for the few rows of a decoder step, and each row adds up in one order
    whatever the number of rows. With many inputs one row alone is the exception: then it gets company.
    """

    def __init__(self, weight_OK: torch.Tensor) -> None:
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight_OK, PACKED_FOR_ROWS)
        self.num_bytes = weight_OK.nbytes
        self._run = torch.ops.mkldnn._linear_pointwise.default
        self._needs_company = False
        three = torch.randn(3, weight_OK.shape[1], generator=torch.Generator().manual_seed(0))
        self._needs_company = not torch.equal(self(three)[:1], self(three[:1]))

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        if self._needs_company and x_NK.shape[0] == 1:
            return self(x_NK.expand(2, -1).contiguous())[:1]
        result: torch.Tensor = self._run(x_NK, self._packed, None, "none", [], "")
        return result

    @staticmethod
    def is_available() -> bool:
        return torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")


class Int8Linear:
    """int8 weights with one scale per output, 7-bit activations with one scale per row, found as they come. CPU.

    fbgemm's dynamic product has one scale for all rows, by the smallest and largest number in sight. So each row
    is divided by its own largest magnitude, and two more columns hold 1 and -1 (their weights are 0): the scale
    found is then always that of [-1, 1], and rows do not feel each other. Sums of integers are exact.
    """

    def __init__(self, weight_OK: torch.Tensor) -> None:
        num_outputs, self._num_inputs = weight_OK.shape
        integers, scales_O1 = rounded_to_int8(weight_OK)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # quantized tensors are on their way out; the product over them is not
            quantized = torch._make_per_channel_quantized_tensor(
                F.pad(integers, (0, 2)), scales_O1[:, 0].double(), torch.zeros(num_outputs, dtype=torch.int64), 0
            )
            self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        self._run = torch.ops.quantized.linear_dynamic.default
        self._rows = torch.zeros(0, self._num_inputs + 2)
        self.num_bytes = integers.nbytes + scales_O1.nbytes

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        scales_N1, result = self.unscaled(x_NK)
        return result.mul_(scales_N1)

    def unscaled(self, x_NK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Each row's scale [N, 1], and the products of the rows divided by it."""
        num_rows = x_NK.shape[0]
        if num_rows > self._rows.shape[0]:
            self._rows = torch.zeros(num_rows, self._num_inputs + 2)
            self._rows[:, -2], self._rows[:, -1] = 1, -1
        rows = self._rows[:num_rows]
        largest_N1, smallest_N1 = x_NK.amax(-1, keepdim=True), x_NK.amin(-1, keepdim=True)
        scales_N1 = torch.maximum(largest_N1, smallest_N1.neg_()).clamp_(min=1e-20)
        # a row that is not finite has a scale that is not, and so has its result; here it must not spoil the others
        torch.div(x_NK, scales_N1, out=rows[:, :-2]).nan_to_num_(0, 0, 0)
        # 7 bits: pairs of 8-bit products overflow the 16 bits in which AVX2 adds them
        return scales_N1, self._run(rows, self._packed, True)


class ScreenedOutput:
    """The output layer in float32, for rows that only want their likeliest token. CPU.

    An int8 product, a quarter of the bytes, screens all tokens; those that its largest possible error leaves in
    the race are scored in float32, so what comes out is the token that float32 alone would give. The error of one
    score is (w - w') x + w' (x - x'), where ' is what int8 made of it: at most |w - w'| |x| + |w'| |x - x'|.
    """

    # the part of |w| |x| that float32 rounding may take, in any order of adding up
    SLACK = 1e-5
    # activations of -1 to 1 lie on 127 steps
    STEPS_PER_UNIT = 63.5
    # outputs are looked at in groups: only those whose largest score is in the race are opened
    GROUP = 64

    def __init__(self, weight_OK: torch.Tensor) -> None:
        num_outputs = weight_OK.shape[0]
        self._weight_OK = weight_OK
        self._num_padding = -num_outputs % self.GROUP
        self._int8 = Int8Linear(F.pad(weight_OK, (0, 0, 0, self._num_padding)))
        integers_OK, scales_O1 = rounded_to_int8(weight_OK)
        kept_OK = integers_OK * scales_O1
        self._most_lost = float((weight_OK - kept_OK).norm(dim=1).max())
        self._most_kept = float(kept_OK.norm(dim=1).max())
        self.num_bytes = self._int8.num_bytes

    def best(self, x_NK: torch.Tensor) -> tuple[list[int], list[float]]:
        """Of each row the output with the largest score, the first where several have it; and that score.

        A row that is not finite gets a score that is not.
        """
        scales_N1, screened_NO = self._int8.unscaled(x_NK)
        if self._num_padding:
            screened_NO[:, -self._num_padding :] = -torch.inf
        rows_N = torch.arange(len(x_NK))
        groups_NGJ = screened_NO.view(len(x_NK), -1, self.GROUP)
        peaks_NG = groups_NGJ.amax(-1)
        group_N = peaks_NG.argmax(1)
        outputs_N = group_N * self.GROUP + groups_NGJ[rows_N, group_N].argmax(1)
        outputs_N.clamp_(max=len(self._weight_OK) - 1)
        scores_N = (self._weight_OK[outputs_N] * x_NK).sum(1)
        # whatever is below this cannot reach the score of the one that looked best
        least_N1 = scores_N[:, None] / scales_N1 - self._largest_error(x_NK, scales_N1)
        rows_C, groups_C = (peaks_NG >= least_N1).nonzero(as_tuple=True)
        chunks_C, inside_P = (groups_NGJ[rows_C, groups_C] >= least_N1[rows_C]).nonzero(as_tuple=True)
        rows_P, outputs_P = rows_C[chunks_C], groups_C[chunks_C] * self.GROUP + inside_P
        scores_P = (self._weight_OK[outputs_P] * x_NK[rows_P]).sum(1)
        tokens, best = outputs_N.tolist(), scores_N.tolist()
        for row, output, score in zip(rows_P.tolist(), outputs_P.tolist(), scores_P.tolist(), strict=True):
            if score > best[row] or (score == best[row] and output < tokens[row]):
                tokens[row], best[row] = output, score
        return tokens, best

    def _largest_error(self, x_NK: torch.Tensor, scales_N1: torch.Tensor) -> torch.Tensor:
        """Of the screened scores [N, 1], before they are scaled."""
        steps_NK = x_NK / scales_N1 * self.STEPS_PER_UNIT
        lost_N1 = (steps_NK - steps_NK.round()).norm(dim=1, keepdim=True) / self.STEPS_PER_UNIT
        size_N1 = x_NK.norm(dim=1, keepdim=True) / scales_N1
        per_size = self._most_lost + self.SLACK * self._most_kept
        error_N1: torch.Tensor = per_size * size_N1 + self._most_kept * lost_N1
        return error_N1
