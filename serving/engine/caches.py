"""The memory of running sequences: a slot each, with the keys and values of its prompt and of its tokens so far.

Knows tensors; knows no model, no requests. Running sequences always lie in slots 0 to n-1, so that a step reads a
slice and never gathers: when one ends, the last takes its slot (`move`).
"""

from __future__ import annotations

import numpy as np
import torch

MASKED = float("-inf")


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

    def move(self, source: int, target: int, *, num_source: int, num_target: int) -> None:
        """Copies what a slot holds into another, up to its own lengths."""
        for tensors, length in (
            (self.cross_keys, num_source),
            (self.cross_values, num_source),
            (self.self_keys, num_target),
            (self.self_values, num_target),
        ):
            for tensor in tensors:
                tensor[target, :, :length] = tensor[source, :, :length]
        self.source_mask[target] = self.source_mask[source]

    def clear(self, slot: int) -> None:
        """Zeroes a slot in which something was not finite."""
        for tensors in (self.cross_keys, self.cross_values, self.self_keys, self.self_values):
            for tensor in tensors:
                tensor[slot].zero_()


def _zeros(shape: tuple[int, ...], *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    known = {torch.float32: np.float32, torch.float16: np.float16}
    if device.type != "cpu" or dtype not in known:
        return torch.zeros(shape, dtype=dtype, device=device)
    # numpy takes zeroed pages from the system, which cost nothing until they are written; torch would write them
    return torch.from_numpy(np.zeros(shape, dtype=known[dtype]))
