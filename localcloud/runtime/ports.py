"""Free loopback ports for processes, below the range that the system hands to outgoing connections.

A port is free when it can be bound and was not just given to another process that has yet to bind it.
"""

from __future__ import annotations

import random
import socket
import threading

RANGE = range(20000, 32000)


class Ports:
    """Thread-safe. A port is held from `take` to `give_back`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[int] = set()

    def take(self, preferred: int = 0) -> int:
        """The preferred port when it is free, else a random one. OSError when the whole range is taken."""
        with self._lock:
            candidates = random.sample(RANGE, 200)
            for port in [preferred, *candidates] if preferred else candidates:
                if port not in self._held and is_free(port):
                    self._held.add(port)
                    return port
        raise OSError(f"No free port on 127.0.0.1 among 200 tried between {RANGE.start} and {RANGE.stop}.")

    def give_back(self, port: int) -> None:
        with self._lock:
            self._held.discard(port)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
