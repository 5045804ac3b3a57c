"""Tensors of the Open Inference Protocol: as JSON, and as bytes behind the JSON (the binary tensor extension).

Knows shapes, datatypes and bytes; knows no model, no HTTP.
Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from serving.config import MOST_INSTANCES
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
# Each element is looked at, on the event loop: as many as the most rows that a request may have, of 256 tokens each.
MAX_ELEMENTS = 256 * MOST_INSTANCES
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
    most = MOST_INSTANCES if told.datatype == BYTES else MAX_ELEMENTS
    if math.prod(told.shape) > most:
        raise InvalidRequest(f"{where}: shape {told.shape} has more than {most} elements, the most of {told.datatype}")
    if raw is not None and told.data is not None:
        raise InvalidRequest(f"{where}: has data and binary_data_size; send one of them")
    num = math.prod(told.shape)
    values = _flat(told.data or [], num, where) if raw is None else _unpacked(raw, told.datatype, num, where)
    if len(values) != num:
        raise InvalidRequest(f"{where}: shape {told.shape} needs {num} elements, got {len(values)}")
    return Tensor(told.name, told.datatype, tuple(told.shape), _typed(values, told.datatype, where))


def _flat(data: list[Any], num: int, where: str) -> list[Any]:
    """Nested or flat, as the protocol allows. `num` elements are expected: where there are more, nobody counts them."""
    for _ in range(MAX_DIMENSIONS):
        if len(data) > max(num, MOST_INSTANCES):
            return data
        if not any(isinstance(item, list) for item in data):
            return data
        if not all(isinstance(item, list) for item in data):
            raise InvalidRequest(f"{where}: data mixes lists and values")
        data = [item for row in data for item in row]
    raise InvalidRequest(f"{where}: data is nested more than {MAX_DIMENSIONS} deep")


def _unpacked(raw: bytes, datatype: str, num: int, where: str) -> list[Any]:
    if datatype == BYTES:
        return _texts(raw, num, where)
    layout = np.dtype(LAYOUTS[datatype])
    if len(raw) > num * layout.itemsize:
        raise InvalidRequest(f"{where}: its shape needs {num * layout.itemsize} bytes, got {len(raw)}")
    if len(raw) % layout.itemsize:
        raise InvalidRequest(f"{where}: {len(raw)} bytes are no whole number of {datatype} elements")
    values: list[Any] = np.frombuffer(raw, dtype=layout).tolist()
    return values


def _texts(raw: bytes, num: int, where: str) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(raw) and len(texts) <= num:
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
    fits = _check_of(datatype)
    wrong = next((place for place, value in enumerate(values) if not fits(value)), None)
    if wrong is not None:
        raise InvalidRequest(f"{where}: element {wrong} should be {datatype}, got {show(values[wrong])}")
    return values


def _check_of(datatype: str) -> Callable[[Any], bool]:
    if datatype == BYTES:
        return lambda value: isinstance(value, str)
    if datatype == "BOOL":
        return lambda value: isinstance(value, bool)
    if datatype.startswith("FP"):
        return lambda value: type(value) in (int, float) and math.isfinite(value)
    limits = np.iinfo(np.dtype(LAYOUTS[datatype]))
    least, most = int(limits.min), int(limits.max)
    return lambda value: type(value) is int and least <= value <= most
