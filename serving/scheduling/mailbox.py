"""Carries what the engine's thread says to the event loop, with one wake-up for everything that has gathered.

A step gives each of its sequences a token: waking the loop for each of them costs more than the tokens themselves.
Knows asyncio; knows no sequences.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Belongs to one loop; `post` is safe from any thread, receivers are called on the loop's, in the order posted."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._posted: list[tuple[Callable[[Item], None], Item]] = []

    def post(self, receiver: Callable[[Item], None], item: Item) -> None:
        with self._lock:
            self._posted.append((receiver, item))
            is_first = len(self._posted) == 1
        if is_first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            posted, self._posted = self._posted, []
        for receiver, item in posted:
            receiver(item)
