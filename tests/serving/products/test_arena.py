"""Memory for weights: many tensors share a piece of it, and none of them its bytes."""

import gc
from pathlib import Path

import pytest
import torch

from serving.products.arena import ALIGNMENT, HUGE_PAGE_BYTES, PIECE_BYTES, Arena


def test_tensors_hold_what_was_written_into_them_whatever_comes_after_them():
    arena = Arena()
    shapes = [(3,), (1000, 7), (5, 4, 3, 2), (0, 9), (1,), (600, 900)] * 9
    tensors = [arena.empty(*shape, dtype=dtype) for shape in shapes for dtype in (torch.int8, torch.float32)]
    for number, tensor in enumerate(tensors):
        tensor.fill_(number)

    for number, tensor in enumerate(tensors):
        assert (tensor == number).all()
        assert tensor.data_ptr() % ALIGNMENT == 0
    assert [tuple(tensor.shape) for tensor in tensors[::2]] == shapes


@pytest.mark.parametrize("num_bytes", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_a_tensor_of_any_size_has_a_place_that_begins_a_huge_page(num_bytes):
    arena = Arena()
    arena.empty(100)

    large = arena.empty(num_bytes, dtype=torch.int8)
    large[-1] = 7

    assert len(large) == num_bytes
    assert large.data_ptr() % HUGE_PAGE_BYTES == 0


def is_memory(address):
    lines = Path("/proc/self/maps").read_text().splitlines()
    ranges = (line.split()[0].split("-") for line in lines)
    return any(int(begin, 16) <= address < int(end, 16) for begin, end in ranges)


def test_a_piece_is_memory_as_long_as_one_of_its_tensors_is_there_and_no_longer():
    arena = Arena()
    first, second = arena.empty(1000), arena.empty(1000)
    address = first.data_ptr()
    second.fill_(3)
    del first
    arena.empty(PIECE_BYTES, dtype=torch.int8)  # the next piece
    gc.collect()
    assert is_memory(address)
    assert second.sum() == 3000

    del second
    gc.collect()
    assert not is_memory(address)
