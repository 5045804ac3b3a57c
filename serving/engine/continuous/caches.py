# ruff: noqa: N803 (shape-suffixed tensor names)
"""The memory of running sequences: a slot each, with the keys and values of its prompt and of its tokens so far.

Knows tensors; knows no model, no requests. Running sequences always lie in slots 0 to n-1, so that a step reads a
slice and never gathers: when one ends, the last takes its slot (`move`).
"""

from __future__ import annotations

import contextlib
import math
import mmap
from collections.abc import Iterator

import numpy as np
import torch

from serving.t5 import MASKED


class Caches:
    """[slot, H, length, D] for each layer, for keys and values, of the prompt (cross) and of the answer (self).

    `self_layers` are the self-attention's keys and values of a layer as one tensor, to be written at once.

    What lies behind a slot's own keys is finite, always: attention gives it weight zero, and zero times infinity
    would not be zero.
    """

    def __init__(
        self,
        *,
        num_slots: int,
        num_layers: int,
        heads: tuple[int, int],
        max_source: int,
        max_target: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        num_heads, width = heads
        self.num_slots = num_slots
        self.max_source = max_source
        self.max_target = max_target

        def layers(length: int) -> list[torch.Tensor]:
            shape = (2, num_slots, num_heads, length, width)
            return [_zeros(shape, dtype=dtype, device=device) for _ in range(num_layers)]

        cross_layers, self.self_layers = layers(max_source), layers(max_target)
        self.cross_keys, self.cross_values = [layer[0] for layer in cross_layers], [layer[1] for layer in cross_layers]
        self.self_keys = [layer[0] for layer in self.self_layers]
        self.self_values = [layer[1] for layer in self.self_layers]
        self.source_mask = torch.full((num_slots, max_source), MASKED, dtype=dtype, device=device)
        self.rows = torch.arange(num_slots, device=device)
        self.columns = torch.arange(max_target, device=device)

    def fill(self, layer: int, slot: int, keys_values: torch.Tensor) -> None:
        """Stores a prompt's keys and values, [2, S, H, D], of one layer."""
        length = keys_values.shape[1]
        self.cross_keys[layer][slot, :, :length] = keys_values[0].transpose(0, 1)
        self.cross_values[layer][slot, :, :length] = keys_values[1].transpose(0, 1)

    def open(self, slot: int, length: int) -> None:
        """Makes the first `length` source positions of a slot visible, and no others."""
        self.source_mask[slot].fill_(MASKED)
        self.source_mask[slot, :length] = 0

    def touch(self, slot: int, *, num_source: int, num_target: int) -> None:
        """Zeroes the beginning of a slot. Memory that was never written is one page of zeros, however often it is read:
        a step over it would be measured as if it read no keys and values."""
        for tensor, length in self._parts(num_source, num_target):
            tensor[slot, :, :length].zero_()

    def move(self, source: int, target: int, *, num_source: int, num_target: int) -> None:
        """Copies what a slot holds into another, up to its own lengths."""
        for tensor, length in self._parts(num_source, num_target):
            tensor[target, :, :length] = tensor[source, :, :length]
        self.source_mask[target] = self.source_mask[source]

    def _parts(self, num_source: int, num_target: int) -> Iterator[tuple[torch.Tensor, int]]:
        """Every layer's keys and values, with the number of them that is meant: of prompts, or of answers."""
        for cross in (self.cross_keys, self.cross_values):
            yield from ((tensor, num_source) for tensor in cross)
        for own in (self.self_keys, self.self_values):
            yield from ((tensor, num_target) for tensor in own)

    def copy_answers(self, sources: list[int], targets: list[int], *, num_target: int) -> None:
        """Copies what slots hold of their answers into others, none of which is a source, up to `num_target` keys."""
        if not targets:
            return
        for layer in self.self_layers:
            if layer.is_cuda:  # one kernel for all of them
                layer[:, targets, :, :num_target] = layer[:, sources, :, :num_target]
                continue
            for source, target in zip(sources, targets, strict=True):
                layer[:, target, :, :num_target] = layer[:, source, :, :num_target]

    def clear(self, slot: int) -> None:
        """Zeroes a slot in which something was not finite."""
        for tensors in (self.cross_keys, self.cross_values, self.self_keys, self.self_values):
            for tensor in tensors:
                tensor[slot].zero_()


class View:
    """`t5.View`: the part of the caches that one step reads.

    positions_B: int64, where each row's new token stands, counted from 0. num_keys and num_source are `rounded`.
    """

    def __init__(
        self, caches: Caches, bias_HR: torch.Tensor, positions_B: torch.Tensor, *, num_keys: int, num_source: int
    ) -> None:
        num_rows = positions_B.shape[0]
        self._caches = caches
        self._num_rows = num_rows
        self._num_keys = num_keys
        self._num_source = num_source
        self._where = [None, caches.rows[:num_rows], None, positions_B]
        # bias_HR is MASKED for keys that lie ahead, and reversed: a row's biases are a slice of it
        begin_B = (bias_HR.shape[1] // 2 - 1) - positions_B
        columns_BT = begin_B[:, None] + caches.columns[:num_keys]
        self.self_bias_BH1T = bias_HR[:, columns_BT].transpose(0, 1).unsqueeze(2).contiguous()
        mask_B11S = caches.source_mask[:num_rows, None, None, :num_source]
        self.source_mask_BH1S = mask_B11S.expand(-1, bias_HR.shape[0], -1, -1).contiguous()

    def write(self, index: int, kv_B2HD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores the new token's key and value in layer `index`; returns all keys and values so far."""
        caches = self._caches
        # [2, slot, H, T, D] at the rows' slots and positions: what is written there is [B, 2, H, D]
        torch.ops.aten.index_put_(caches.self_layers[index], self._where, kv_B2HD)
        keys, values = caches.self_keys[index], caches.self_values[index]
        return keys[: self._num_rows, :, : self._num_keys], values[: self._num_rows, :, : self._num_keys]

    def source(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self._caches.cross_keys[index], self._caches.cross_values[index]
        return keys[: self._num_rows, :, : self._num_source], values[: self._num_rows, :, : self._num_source]


def _zeros(shape: tuple[int, ...], *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    known = {torch.float32: np.float32, torch.float16: np.float16}
    if device.type != "cpu" or dtype not in known:
        return torch.zeros(shape, dtype=dtype, device=device)
    # The system's own zeroed pages cost nothing until they are written, where torch would write them all. Small pages:
    # slots are written a few rows at a time, and a huge page, which numpy asks for, would be zeroed whole for each
    # of them while everyone else's tokens wait (130 ms for the first step of fifty).
    kind = np.dtype(known[dtype])
    memory = mmap.mmap(-1, math.prod(shape) * kind.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError, AttributeError):  # systems without huge pages know no such advice
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.from_numpy(np.frombuffer(memory, dtype=kind).reshape(shape))
