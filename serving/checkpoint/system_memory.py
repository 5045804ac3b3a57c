"""Gives memory back to the system that loading has taken and needs no more. Knows addresses; knows no tensors."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

MADV_DONTNEED = 4
MAPS = Path("/proc/self/maps")


def give_back_freed() -> None:
    """What was freed, and is kept by the C library for later: at Flan-T5-small it would be a third of the process."""
    with contextlib.suppress(OSError, AttributeError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def addresses_of(file: Path) -> list[range]:
    """Where this process has a file in its memory; nowhere, on systems that do not say."""
    if not MAPS.exists():
        return []
    path = str(file.resolve())
    found = []
    for line in MAPS.read_text().splitlines():
        where, *_, name = line.split(maxsplit=5)
        if name == path:
            begin, _, end = where.partition("-")
            found.append(range(int(begin, 16), int(end, 16)))
    return found


def give_back_pages(begin: int, num_bytes: int, *, mapped: list[range]) -> None:
    """The whole pages of so many bytes at `begin`, where they are a file's, as `addresses_of` it says: they stay in the
    system's cache, and are read from there again where they are still asked for."""
    page = os.sysconf("SC_PAGESIZE")
    first, last = -(-begin // page) * page, (begin + num_bytes) // page * page
    # of memory that is no file's, this would make zeros
    if first < last and any(first in one and last <= one.stop for one in mapped):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), MADV_DONTNEED)
