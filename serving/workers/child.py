"""Processes of our own modules: what they are started with, and how they end with their parent. Knows no model."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1


def environment() -> dict[str, str]:
    """In which `python -m serving…` finds this package, whatever the working directory."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return os.environ | {"PYTHONPATH": path}


def die_with(parent: int) -> bool:
    """Has this process killed when `parent`, who started it, ends; returns whether that is still there."""
    with contextlib.suppress(OSError, AttributeError):  # Linux alone; elsewhere closed connections have to do
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent  # it may have ended before it could be asked to take us with it
