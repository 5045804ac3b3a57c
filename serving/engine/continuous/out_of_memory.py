"""What it looks like when memory runs out, and what frees some. Knows PyTorch; knows no model, no sequences."""

from __future__ import annotations

import logging

import torch

log = logging.getLogger(__name__)


def is_out_of_memory(error: Exception) -> bool:
    # on a CPU it is a RuntimeError of PyTorch's allocator, known by its text alone
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def free_memory(error: Exception, consequence: str) -> None:
    """Gives a GPU's unused memory back, and says what happened and what follows from it."""
    log.warning("out of memory (%s); %s", str(error).splitlines()[0], consequence)
    torch.cuda.empty_cache()  # nothing happens where there is no GPU
