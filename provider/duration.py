"""Durations as Terraform users write them: `90m`, `2h`, `1h30m`, `45s`."""

from __future__ import annotations

import re
from typing import Any

from tfplugin.resource import PluginError, Problem
from tfplugin.values import UNKNOWN, State

_DURATION = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")


def seconds(text: str) -> float:
    """ValueError when the text is no duration above zero."""
    found = _DURATION.match(text)
    hours, minutes, rest = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + rest
    if total <= 0:
        raise ValueError(f"got {text!r}; allowed is a duration above zero such as 90m, 2h or 1h30m")
    return float(total)


def timeout(state: State, operation: str, default: str) -> float:
    """The configured timeout of an operation in seconds, else the default."""
    configured = (state.get("timeouts") or {}).get(operation)
    try:
        return seconds(configured or default)
    except ValueError as error:
        raise PluginError("A timeout is no duration", str(error), path=("timeouts", operation)) from error


def problems(config: State) -> list[Problem]:
    """What is wrong with the `timeouts` block of a configuration."""
    found = []
    block: Any = config.get("timeouts")
    for operation, text in (block or {}).items() if block is not UNKNOWN else ():
        if isinstance(text, str):
            try:
                seconds(text)
            except ValueError as error:
                found.append(
                    Problem("A timeout is no duration", f"timeouts.{operation}: {error}", ("timeouts", operation))
                )
    return found


def pause(text: str | None) -> float:
    """Seconds, where none and `0s` are 0. ValueError as `seconds`."""
    return seconds(text) if text and text != "0s" else 0.0
