"""A checkpoint's tensors by name, read from its files by memory map. Knows file formats; knows no model.

Nothing is copied until it is asked for: safetensors and zip pickles are mapped, and what a tensor of them is
converted or packed into is its only copy in memory.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from serving.checkpoint.system_memory import addresses_of, give_back_pages


class TensorFiles:
    """The tensors of all shards together. `get` is cheap: it maps.

    Raises ValueError when a file is not what its name says.
    """

    def __init__(self, files: list[Path]) -> None:
        self._files: dict[str, Path] = {}
        self._open: dict[Path, object] = {}
        self._mapped: dict[Path, list[range]] = {}
        for file in files:
            self._files |= dict.fromkeys(self._names(file), file)

    @property
    def names(self) -> list[str]:
        return list(self._files)

    def has(self, name: str) -> bool:
        return name in self._files

    def get(self, name: str) -> torch.Tensor:
        """Raises KeyError for a name that no file holds."""
        opened = self._open[self._files[name]]
        if isinstance(opened, dict):
            tensor: torch.Tensor = opened[name]
            return tensor
        return opened.get_tensor(name)  # type: ignore[attr-defined, no-any-return]

    def release(self, name: str) -> None:
        """Has the system take back the memory in which a tensor was read; whoever still has it may read on."""
        file = self._files[name]
        if file not in self._mapped:
            self._mapped[file] = addresses_of(file)
        tensor = self.get(name)
        give_back_pages(tensor.data_ptr(), tensor.nbytes, mapped=self._mapped[file])

    def _names(self, file: Path) -> list[str]:
        if file.suffix == ".safetensors":
            try:
                opened = safe_open(file, framework="pt")
            except (SafetensorError, OSError) as error:
                raise ValueError(f"{file.name}: {error}") from None
            self._open[file] = opened
            return list(opened.keys())  # type: ignore[no-untyped-call]
        tensors = _read_pickle(file)
        self._open[file] = tensors
        return list(tensors)


def _read_pickle(file: Path) -> dict[str, torch.Tensor]:
    """Tensors only: `weights_only` refuses everything that could run code."""
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError as error:
        if "mmap can only be used" not in str(error):
            raise ValueError(f"{file.name}: {error}") from None
        tensors = torch.load(file, map_location="cpu", weights_only=True)  # the format before PyTorch 1.6
    except Exception as error:  # noqa: BLE001 (UnpicklingError, EOFError, struct.error … whatever the bytes provoke)
        raise ValueError(f"{file.name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from None
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise ValueError(f"{file.name} holds no table of tensors")
    return tensors
