"""Substitutions of a build: `$_NAME` and `${_NAME}` in its steps, images, tags and environment.

Source: Cloud Build, "Substituting variable values": user variables begin with an underscore; `$$` is a dollar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.errors import invalid

_VARIABLE = re.compile(r"\$\$|\$(?:\{(\w+)\}|([A-Z_][A-Z0-9_]*))")
_USER_NAME = re.compile(r"_[A-Z0-9_]+")
MAX_VALUE = 4000


def checked(given: Mapping[str, Any]) -> dict[str, str]:
    """User substitutions. ApiError for a bad name or a value that is too long."""
    for name, value in given.items():
        if not _USER_NAME.fullmatch(name):
            raise invalid(f"substitution key {name!r} is invalid: it must be _ followed by A-Z, 0-9 and _")
        if len(str(value)) > MAX_VALUE:
            raise invalid(f"the value of {name} has {len(str(value))} characters; at most {MAX_VALUE} are allowed")
    return {name: str(value) for name, value in given.items()}


def substituted(value: Any, variables: Mapping[str, str]) -> Any:
    """The value with every variable replaced, at any depth. An unknown one stays as it is written."""
    if isinstance(value, dict):
        return {key: substituted(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [substituted(one, variables) for one in value]
    return _VARIABLE.sub(lambda found: _replacement(found, variables), value) if isinstance(value, str) else value


def _replacement(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found.group(0) == "$$":
        return "$"
    return variables.get(found.group(1) or found.group(2), found.group(0))
