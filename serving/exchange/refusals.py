"""Which wire's words an error is told in: by the path it happened on. Knows HTTP; the words are the wires'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from serving.errors import ServingError, Unauthorized

# What a browser needs to ask its reader for a key, and a program to know what is asked of it.
CHALLENGE = 'Bearer, Basic realm="the key is the password"'


class Wire(Protocol):
    """A protocol that clients speak."""

    @property
    def router(self) -> APIRouter: ...

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths, and beginnings of paths that end with a slash, whose refusals are in this protocol's words."""

    @property
    def predictions(self) -> tuple[str, ...]:
        """Path templates of the routes that generate: their requests are counted."""

    def refusal(self, error: ServingError) -> tuple[int, Any]:
        """Status and JSON body."""


class Refusals:
    """One per server. The first wire that owns a path answers for it, then its beginning; the last for all others."""

    def __init__(self, wires: Sequence[Wire]) -> None:
        self._last = wires[-1]
        self._exact: dict[str, Wire] = {}
        self._beginnings: list[tuple[str, Wire]] = []
        for wire in wires:
            for owned in wire.paths:
                if owned.endswith("/"):
                    self._beginnings.append((owned, wire))
                else:
                    self._exact.setdefault(owned, wire)

    def response(self, request: HTTPConnection, error: ServingError) -> JSONResponse:
        status, body = self._wire(request).refusal(error)
        headers = {}
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        if isinstance(error, Unauthorized):
            headers["WWW-Authenticate"] = CHALLENGE
        return JSONResponse(body, status, headers)

    def _wire(self, request: HTTPConnection) -> Wire:
        # a raw prediction may hold another wire's body, and is then answered in that wire's words
        spoken: Wire | None = getattr(request.state, "wire", None)
        if spoken is not None:
            return spoken
        path = request.scope["path"]
        if path in self._exact:
            return self._exact[path]
        return next((wire for beginning, wire in self._beginnings if path.startswith(beginning)), self._last)
