"""A checkpoint's tensors are read as often as somebody likes, also when their memory was given back."""

import pytest
import torch
from safetensors.torch import save_file

from serving.checkpoint.tensors import TensorFiles

WRITERS = {
    "safetensors": save_file,
    "zipped pickle": torch.save,
    # not mapped: its tensors are in the process's own memory, where pages that are given back come again as zeros
    "old pickle": lambda tensors, path: torch.save(tensors, path, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_was_released_has_its_numbers_still(tmp_path, kind):
    numbers = {
        name: torch.randn(700, 900, generator=torch.Generator().manual_seed(seed)) for seed, name in enumerate("ab")
    }
    path = tmp_path / ("model.safetensors" if kind == "safetensors" else "pytorch_model.bin")
    WRITERS[kind](numbers, path)
    files = TensorFiles([path])
    held = {name: files.get(name) for name in files.names}

    for name in files.names:
        held[name].sum()
        files.release(name)
        files.release(name)

    for name, wanted in numbers.items():
        assert torch.equal(held[name], wanted)
        assert torch.equal(files.get(name), wanted)
