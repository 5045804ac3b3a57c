"""Who sends a request, as far as fairness needs to know. Knows HTTP headers; proves nobody's identity.

The header must be set, and what clients send under its name be dropped, by a proxy in front of the server.
"""

from __future__ import annotations

import hashlib

from starlette.requests import Request

UNNAMED = "unnamed"


def client_of(request: Request, *, header: str) -> str:
    """A short name, the same for the same client; empty when no header is configured.

    A digest: the header may hold an e-mail address, which has no place in a queue or a log.
    """
    if not header:
        return ""
    value = request.headers.get(header, "")
    return hashlib.sha256(value.encode()).hexdigest()[:16] if value else UNNAMED
