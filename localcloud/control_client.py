"""Asks a running local cloud for its status, and to stop. Standard library only, so that the command is quick."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

from localcloud.config import LOOPBACK


def status_of(port: int, *, timeout_s: float = 5) -> dict[str, Any] | None:
    """None when nothing there answers as a local cloud does."""
    return _call("GET", port, "/localcloud/status", timeout_s=timeout_s)


def stop(port: int, *, timeout_s: float) -> bool:
    """Asks, and waits until it is gone. False when it still answers after the time."""
    _call("POST", port, "/localcloud/stop", timeout_s=5)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not _listens(port):
            return True
        time.sleep(0.1)
    return False


def _call(method: str, port: int, path: str, *, timeout_s: float) -> dict[str, Any] | None:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        document = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return document if response.status == 200 and isinstance(document, dict) and "pid" in document else None


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True
