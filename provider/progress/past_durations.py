"""How long phases took in past runs: a small file of medians' raw numbers, by resource type, machine and phase.

A measurement that is lost is no harm: two providers that write at once, a file that is broken or cannot be written.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from provider import local_state

MAX_KEYS = 400  # the ones used last
MAX_RUNS = 20  # the last ones of each
# Names and ids differ from run to run: a phase is the same without them.
_VARIABLE = re.compile(r" (?:projects/\S+|\d{4,}|sha256:\S+)")


_place = "google"


def measure_at(api_endpoint: str | None) -> None:
    """Which cloud this process works on: a local one is no measure for Google's. A process has one configuration."""
    global _place
    _place = api_endpoint or "google"


def default_path() -> Path:
    return local_state.folder() / "durations.json"


def key_of(resource: str, machine: str, phase: str) -> str:
    return "|".join((_place, resource, machine, _VARIABLE.sub("", phase)))


def usual_s(path: Path, key: str) -> float | None:
    """The median of the past runs in seconds; None when there is none."""
    runs = sorted(_read(path).get(key, []))
    return (runs[len(runs) // 2] + runs[(len(runs) - 1) // 2]) / 2 if runs else None


def add(path: Path, key: str, seconds: float) -> None:
    """Remembers one run, and forgets the oldest ones beyond the limits."""
    held = _read(path)
    runs = [*held.pop(key, []), round(seconds, 1)][-MAX_RUNS:]
    held[key] = runs  # at the end: used last
    kept = dict(list(held.items())[-MAX_KEYS:])
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({"version": 1, "seconds": kept}, indent=0))
        fresh.replace(path)
    except OSError as error:
        local_state.say(f"{path} cannot be written: {error.strerror}")


def _read(path: Path) -> dict[str, list[float]]:
    try:
        content: Any = json.loads(path.read_text())
        held = content["seconds"].items()
        return {str(key): [float(one) for one in runs] for key, runs in held if isinstance(runs, list)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none yet, or broken: a new one is begun
        return {}
