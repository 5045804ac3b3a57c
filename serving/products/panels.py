# ruff: noqa: N803 (shape-suffixed tensor names)
"""Products with weights on a CPU by our own kernels (`serving.native`): float32, int8, and the screened output layer.

Knows tensors and how the kernels want them; knows no model. What `torch_cpu` promises holds here too: a row's result
is the same to the last bit whoever shares the product, because every output adds up its inputs in one order.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import torch
from torch.nn import functional as F

from serving.native.library import ACTIVATIONS, PANEL, LinearView, ScreenView, kernels, num_threads
from serving.products.arena import Arena
from serving.products.rounding import rounded_to_int8

# N rows, K inputs, O outputs, P panels of 16 outputs.

# of this process's weights, all of them read in each step
ARENA = Arena()

# outputs that are laid out together: what a large output layer takes on the way would else be several of its size
BLOCK = 32 * PANEL

# the part of |w| |x| that float32 rounding may take from a screened score
SLACK = 2e-5


def can_run(*, widths: tuple[int, ...], activation: str) -> bool:
    """Whether the kernels are to be had, and compute layers of these widths."""
    return all(width % 8 == 0 for width in widths) and activation in ACTIVATIONS and kernels() is not None


class PanelLinear:
    """float32: [panel][input][16]. `view` is what the kernels read; it lives as long as this."""

    def __init__(self, weight_OK: torch.Tensor) -> None:
        self._num_outputs, num_inputs = weight_OK.shape
        self._panels = ARENA.empty(-(-len(weight_OK) // PANEL), num_inputs, PANEL)
        begin = 0
        for block_OK in _blocks(weight_OK):
            panels_PKo = block_OK.view(-1, PANEL, num_inputs).transpose(1, 2)
            self._panels[begin : begin + len(panels_PKo)] = panels_PKo
            begin += len(panels_PKo)
        self.num_bytes = self._panels.nbytes
        self.view = LinearView(self._panels.data_ptr(), None, None, num_inputs, len(self._panels))

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        return _product(self.view, x_NK)[:, : self._num_outputs]


class Int8PanelLinear:
    """int8 weights with one scale per output, [panel][input / 4][16][4]; a row's inputs are rounded to 7 bits of the
    span from its lowest to its highest, found as they come."""

    def __init__(self, weight_OK: torch.Tensor) -> None:
        self._num_outputs, num_inputs = weight_OK.shape
        num_panels = -(-len(weight_OK) // PANEL)
        self._panels = ARENA.empty(num_panels, num_inputs // 4, PANEL, 4, dtype=torch.int8)
        self.scales_O = torch.empty(num_panels * PANEL)
        self._sums_O = torch.empty(num_panels * PANEL)
        begin = 0
        for block_OK in _blocks(weight_OK):
            end = begin + len(block_OK)
            integers_OK, scales_O1 = rounded_to_int8(block_OK)
            self.scales_O[begin:end] = scales_O1[:, 0]
            self._sums_O[begin:end] = integers_OK.sum(1, dtype=torch.float32)
            panels = integers_OK.view(-1, PANEL, num_inputs // 4, 4).transpose(1, 2)
            self._panels[begin // PANEL : end // PANEL] = panels
            begin = end
        self.num_bytes = self._panels.nbytes + self.scales_O.nbytes + self._sums_O.nbytes
        addresses = (tensor.data_ptr() for tensor in (self._panels, self.scales_O, self._sums_O))
        self.view = LinearView(*addresses, num_inputs, len(self._panels))

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        return _product(self.view, x_NK)[:, : self._num_outputs]

    def weights(self, begin: int, end: int) -> torch.Tensor:
        """What is left of the weight's outputs `begin`, the first of a panel, to `end`: float32 [O, K]."""
        panels = self._panels[begin // PANEL : -(-end // PANEL)]
        integers_OK = panels.transpose(1, 2).reshape(len(panels) * PANEL, -1)[: end - begin]
        return integers_OK * self.scales_O[begin:end, None]


class PanelScreen:
    """The output layer in float32, for rows that only want their likeliest token.

    An int8 product, a quarter of the bytes, screens all tokens; those that its largest possible error leaves in
    the race are scored in float32, so what comes out is the token that float32 alone would give. The error of one
    score is (w - w') x + w' (x - x'), where ' is what int8 made of it: at most |w - w'| |x| + |w'| |x - x'|.
    """

    def __init__(self, weight_OK: torch.Tensor) -> None:
        self._weight_OK = weight_OK.contiguous()
        self._int8 = Int8PanelLinear(weight_OK)
        lost, kept = self._largest_norms()
        self.num_bytes = self._int8.num_bytes
        self._scores = torch.empty(0)  # kept from step to step: megabytes, whose pages would be new each time
        self._view = ScreenView(
            self._int8.view,
            self._weight_OK.data_ptr(),
            len(weight_OK),
            lost,
            kept,
            SLACK,
        )

    def _largest_norms(self) -> tuple[float, float]:
        """Of any output, the norm of what int8 lost of its weights, and of what it kept."""
        lost, kept = torch.zeros(()), torch.zeros(())
        for begin in range(0, len(self._weight_OK), BLOCK):
            weight_OK = self._weight_OK[begin : begin + BLOCK]
            kept_OK = self._int8.weights(begin, begin + len(weight_OK))
            # tensors' maxima: Python's would lose what is not a number
            lost = torch.maximum(lost, (weight_OK - kept_OK).norm(dim=1).max())
            kept = torch.maximum(kept, kept_OK.norm(dim=1).max())
        return float(lost), float(kept)

    def best(self, x_NK: torch.Tensor) -> tuple[list[int], list[float]]:
        """Of each row the output with the largest score, the first where several have it; and that score.

        A row that is not finite gets a score that is not.
        """
        x_NK = x_NK.contiguous()
        num_rows, num_inputs = x_NK.shape
        space = _RoundingSpace(num_rows, num_inputs)
        num_scores = num_rows * PANEL * self._view.screen.num_panels
        if num_scores > len(self._scores):
            self._scores = torch.empty(num_scores)
        outputs_N = torch.empty(num_rows, dtype=torch.int64)
        best_N = torch.empty(num_rows)
        library().t5_best(
            ctypes.byref(self._view),
            x_NK.data_ptr(),
            num_rows,
            self._scores.data_ptr(),
            *space.pointers,
            outputs_N.data_ptr(),
            best_N.data_ptr(),
            num_threads(),
        )
        return outputs_N.tolist(), best_N.tolist()


class _RoundingSpace:
    """Where a kernel rounds a product's inputs."""

    def __init__(self, num_rows: int, num_inputs: int) -> None:
        self._bytes = torch.empty(num_rows * num_inputs, dtype=torch.uint8)
        self._roundings = torch.empty(2 * num_rows)
        self.pointers = (self._bytes.data_ptr(), self._roundings.data_ptr())


def _product(view: LinearView, x_NK: torch.Tensor) -> torch.Tensor:
    x_NK = x_NK.contiguous()
    num_rows, num_inputs = x_NK.shape
    result = torch.empty(num_rows, PANEL * view.num_panels)
    space = _RoundingSpace(num_rows, num_inputs)
    library().t5_linear(
        ctypes.byref(view), x_NK.data_ptr(), num_rows, result.data_ptr(), *space.pointers, num_threads()
    )
    return result


def _blocks(weight_OK: torch.Tensor) -> Iterator[torch.Tensor]:
    """In float32, one after the other; the last with outputs of zeros up to a whole panel."""
    for begin in range(0, len(weight_OK), BLOCK):
        block_OK = weight_OK[begin : begin + BLOCK]
        yield F.pad(block_OK.float(), (0, 0, 0, -len(block_OK) % PANEL))


def library() -> ctypes.CDLL:
    library = kernels()
    if library is None:
        raise RuntimeError("the kernels are not to be had on this machine; can_run() says so")
    return library
