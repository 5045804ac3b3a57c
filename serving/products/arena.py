"""Memory for weights, in huge pages where the system has them. Knows tensors' sizes; knows no products.

A step reads all weights once. In pages of 4 KiB the processor looks for one more often than it can keep in mind: with
pages of 2 MiB a step of one row of Flan-T5-small is a fifth faster. They are asked for by the piece, several tensors
to one, since most tensors of a small model are smaller than a page.
"""

from __future__ import annotations

import contextlib
import math
import mmap

import torch

PIECE_BYTES = 32 << 20
HUGE_PAGE_BYTES = 2 << 20
ALIGNMENT = 64  # a cache line, and the widest vector


class Arena:
    """Gives tensors out and never takes them back: a piece is freed when the last of its tensors is gone."""

    def __init__(self) -> None:
        self._piece = torch.empty(0, dtype=torch.uint8)
        self._num_taken = 0

    def empty(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """A tensor whose numbers are not set, to be written once."""
        num_bytes = math.prod(shape) * dtype.itemsize
        begin = -(-self._num_taken // ALIGNMENT) * ALIGNMENT
        if begin + num_bytes > len(self._piece):
            self._piece, begin = _piece(max(num_bytes, PIECE_BYTES)), 0
        self._num_taken = begin + num_bytes
        return self._piece[begin : self._num_taken].view(dtype).view(shape)


def _piece(num_bytes: int) -> torch.Tensor:
    """Memory that begins with a huge page. What is not touched of it is no memory yet."""
    memory = mmap.mmap(-1, num_bytes + HUGE_PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError, AttributeError):  # systems without huge pages know no such advice
        memory.madvise(mmap.MADV_HUGEPAGE)
    piece = torch.frombuffer(memory, dtype=torch.uint8)
    begin = -piece.data_ptr() % HUGE_PAGE_BYTES
    return piece[begin : begin + num_bytes]
