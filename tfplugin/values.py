"""Terraform values on the wire: msgpack with a marker for what is not known yet.

A value is plain Python (None, bool, number, str, list, dict) or `UNKNOWN`. Knows nothing of schemas.
Source: Terraform's object wire format, docs/plugin-protocol/object-wire-format.md.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgpack
from tf.gen import tfplugin_pb2 as pb

State = dict[str, Any]


class _Unknown:
    """The one value that says: known after apply."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __copy__(self) -> _Unknown:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Unknown:
        return self

    def __bool__(self) -> bool:
        raise TypeError("an unknown value has no truth; compare it with `is UNKNOWN`")


UNKNOWN: Final = _Unknown()
_EXTENSION_UNKNOWN = 0
_EXTENSION_REFINED_UNKNOWN = 12


def _from_extension(code: int, data: bytes) -> Any:
    if code in (_EXTENSION_UNKNOWN, _EXTENSION_REFINED_UNKNOWN):
        return UNKNOWN
    raise ValueError(f"Terraform sent a msgpack extension {code} that this plugin does not know")


def _to_extension(value: Any) -> Any:
    if value is UNKNOWN:
        return msgpack.ExtType(_EXTENSION_UNKNOWN, b"\x00")
    raise TypeError(f"{type(value).__name__} is no Terraform value: {value!r}")


def decode(value: pb.DynamicValue) -> Any:
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, ext_hook=_from_extension, strict_map_key=False)
    return json.loads(value.json) if value.json else None


def encode(value: Any) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value, default=_to_extension))


def number(value: Any) -> Any:
    """A number attribute's value to reckon with; None and `UNKNOWN` stay.

    Terraform sends one that no double holds exactly (0.01) as text, and wants it back as it was: states keep the text.
    """
    return float(value) if isinstance(value, str) else value


def is_known(value: Any) -> bool:
    """Whether nothing inside is unknown."""
    if value is UNKNOWN:
        return False
    if isinstance(value, dict):
        return all(is_known(one) for one in value.values())
    if isinstance(value, list):
        return all(is_known(one) for one in value)
    return True


def known_or_null(value: Any) -> Any:
    """The value with every unknown made null: Terraform takes no unknown after an apply."""
    if value is UNKNOWN:
        return None
    if isinstance(value, dict):
        return {name: known_or_null(one) for name, one in value.items()}
    if isinstance(value, list):
        return [known_or_null(one) for one in value]
    return value
