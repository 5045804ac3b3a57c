"""Bodies of resources as tests configure them, and variants of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any


def changed(body: dict[str, Any], path: Sequence[str | int], value: object) -> dict[str, Any]:
    """The body with one of its values, deep inside, set to another."""
    result = copy.deepcopy(body)
    *parents, last = path
    place: Any = result
    for one in parents:
        place = place[one]
    place[last] = value
    return result
