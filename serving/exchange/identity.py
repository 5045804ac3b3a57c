"""Who sends a request, as far as fairness and quotas need to know. Knows HTTP headers; proves nobody's identity.

A key's owner, where keys are asked for (`serving.access`); else the header that a proxy in front of the server sets,
which has to drop what clients send under its name.
"""

from __future__ import annotations

import hashlib

from starlette.requests import HTTPConnection

UNNAMED = "unnamed"


def client_of(request: HTTPConnection, *, header: str) -> str:
    """A short name, the same for the same client; empty when clients are not told apart.

    A digest: the header may hold an e-mail address, which has no place in a queue or a log.
    """
    owner: str | None = getattr(request.state, "owner", None)
    if owner is not None:
        return owner
    if not header:
        return ""
    value = request.headers.get(header, "")
    return hashlib.sha256(value.encode()).hexdigest()[:16] if value else UNNAMED
