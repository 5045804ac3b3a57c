"""Tensors of the Open Inference Protocol: as JSON, and as bytes behind the JSON (the binary tensor extension).

Knows shapes, datatypes and bytes; knows no model, no HTTP.
Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from serving.errors import InvalidRequest
from serving.validation import show

BYTES = "BYTES"
# All but BYTES: numpy's name of a datatype's little-endian layout.
LAYOUTS = {
    "BOOL": "?",
    **{f"{sign}INT{bits}": f"<{code}{bits // 8}" for sign, code in (("", "i"), ("U", "u")) for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
MAX_DIMENSIONS = 8
SHARED_MEMORY = "shared_memory_region"


class InputTensor(BaseModel):
    """A tensor of a request, as its JSON tells it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    datatype: str
    shape: list[int] = Field(max_length=MAX_DIMENSIONS)
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=16)
    data: list[Any] | None = None

    @property
    def binary_size(self) -> int | None:
        """Bytes that it takes behind the JSON; None when its data is in the JSON."""
        size = self.parameters.get("binary_data_size")
        if size is not None and (type(size) is not int or size < 0):
            raise InvalidRequest(f"input {self.name}: binary_data_size should be a number of bytes, got {show(size)}")
        return size


@dataclass(frozen=True, slots=True)
class Tensor:
    """Values in row-major order. Those of BYTES are texts."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any]

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def packed(self) -> bytes:
        """As the binary tensor extension writes it."""
        if self.datatype == BYTES:
            encoded = [str(value).encode() for value in self.values]
            return b"".join(struct.pack("<I", len(one)) + one for one in encoded)
        return np.array(self.values, dtype=LAYOUTS[self.datatype]).tobytes()


def read_tensor(told: InputTensor, raw: bytes | None) -> Tensor:
    """`raw`: its bytes behind the JSON, None when the data is in the JSON. Raises `InvalidRequest`."""
    where = f"input {told.name[:60]}"
    if SHARED_MEMORY in told.parameters:
        raise InvalidRequest(f"{where}: shared memory is not read here; send the data")
    if told.datatype != BYTES and told.datatype not in LAYOUTS:
        known = ", ".join((BYTES, *LAYOUTS))
        raise InvalidRequest(f"{where}: datatype {told.datatype[:60]!r} is not known, known are {known}")
    if any(size < 0 for size in told.shape):
        raise InvalidRequest(f"{where}: shape should have no negative size, got {told.shape}")
    if raw is not None and told.data is not None:
        raise InvalidRequest(f"{where}: has data and binary_data_size; send one of them")
    values = _flat(told.data or [], where) if raw is None else _unpacked(raw, told.datatype, where)
    if len(values) != math.prod(told.shape):
        raise InvalidRequest(f"{where}: shape {told.shape} needs {math.prod(told.shape)} elements, got {len(values)}")
    return Tensor(told.name, told.datatype, tuple(told.shape), _typed(values, told.datatype, where))


def _flat(data: list[Any], where: str) -> list[Any]:
    """Nested or flat, as the protocol allows."""
    for _ in range(MAX_DIMENSIONS):
        if not any(isinstance(item, list) for item in data):
            return data
        if not all(isinstance(item, list) for item in data):
            raise InvalidRequest(f"{where}: data mixes lists and values")
        data = [item for row in data for item in row]
    raise InvalidRequest(f"{where}: data is nested more than {MAX_DIMENSIONS} deep")


def _unpacked(raw: bytes, datatype: str, where: str) -> list[Any]:
    if datatype == BYTES:
        return _texts(raw, where)
    layout = np.dtype(LAYOUTS[datatype])
    if len(raw) % layout.itemsize:
        raise InvalidRequest(f"{where}: {len(raw)} bytes are no whole number of {datatype} elements")
    values: list[Any] = np.frombuffer(raw, dtype=layout).tolist()
    return values


def _texts(raw: bytes, where: str) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise InvalidRequest(f"{where}: its bytes end inside the length of element {len(texts)}")
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4
        if at + length > len(raw):
            left = f"{len(raw) - at} are left"
            raise InvalidRequest(f"{where}: element {len(texts)} is said to have {length} bytes, {left}")
        try:
            texts.append(raw[at : at + length].decode())
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{where}: element {len(texts)} is not text in UTF-8: {error}") from None
        at += length
    return texts


def _typed(values: list[Any], datatype: str, where: str) -> list[Any]:
    """Values as Python has them; a wrong one is named by its place."""
    for place, value in enumerate(values):
        if not _fits(value, datatype):
            raise InvalidRequest(f"{where}: element {place} should be {datatype}, got {show(value)}")
    return values


def _fits(value: object, datatype: str) -> bool:
    if datatype == BYTES:
        return isinstance(value, str)
    if datatype == "BOOL":
        return isinstance(value, bool)
    if datatype.startswith("FP"):
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    limits = np.iinfo(np.dtype(LAYOUTS[datatype]))
    return type(value) is int and limits.min <= value <= limits.max
