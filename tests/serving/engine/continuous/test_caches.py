"""What the caches take of the machine's memory."""

import os
from pathlib import Path

import pytest
import torch

from serving.engine.continuous.caches import Caches


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_first_token_in_every_slot_takes_a_few_pages_of_each_and_not_the_whole_caches(dtype):
    before = resident_bytes()
    caches = Caches(
        num_slots=64,
        num_layers=4,
        heads=(4, 64),
        max_source=256,
        max_target=1024,
        dtype=dtype,
        device=torch.device("cpu"),
    )
    for layer in caches.self_layers:
        layer[:, :, :, 0] = 1.0
    whole = sum(layer.numel() * layer.element_size() for layer in caches.self_layers)

    taken = resident_bytes() - before

    assert whole >= 256 * 2**20
    assert all(torch.all(layer[:, :, :, 1:] == 0) for layer in caches.self_layers[:1])
    assert taken < whole / 10
