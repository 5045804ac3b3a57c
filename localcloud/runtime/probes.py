"""Whether a container listens, and whether it says that it is ready."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

PROBE_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class ProbeSettings:
    """How a container is probed. Source: Vertex AI, custom container requirements.

    health_path: None when an open port is all that is asked (Cloud Run's default).
    open_within_s: four attempts, ten seconds apart, until the port must be open.
    period_s: between two checks of a container that runs; failures: in a row that count.
    """

    health_path: str | None = None
    open_within_s: float = 40.0
    poll_s: float = 0.1
    period_s: float = 10.0
    failures: int = 4


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False


def health(port: int, path: str) -> tuple[int, str]:
    """The health route's status and the start of its body; status 0 when nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{type(error).__name__}: {error}"
    finally:
        connection.close()
