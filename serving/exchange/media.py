"""Media types that wires read and write besides JSON. Knows no HTTP framework, no wire."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

JSON = "application/json"
# One JSON value per line. Its first name is the one answered with.
LINES = ("application/jsonlines", "application/jsonl", "application/x-ndjson", "application/x-jsonlines")


def media_type(header: str) -> str:
    """`Application/JSON; charset=utf-8` -> application/json."""
    return header.partition(";")[0].strip().lower()


def is_lines(header: str) -> bool:
    return media_type(header) in LINES


def lines_of(values: Iterable[Any]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
