"""How long a client is willing to wait, as it says in a header. Knows HTTP headers; enforces nothing."""

from __future__ import annotations

import math

from starlette.requests import Request

from serving.errors import InvalidRequest

HEADER = "x-request-timeout-s"


def timeout_of(request: Request) -> float | None:
    """Seconds from the request's acceptance; None when the client names none. Raises `InvalidRequest`."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidRequest(f"header {HEADER} must be a number of seconds above 0, got {text[:60]!r}")
    return seconds
