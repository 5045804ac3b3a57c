"""Refuses a prediction that the server cannot take, before its route is looked for and its body is read.

A full server must say so at once, and hundreds may hear it in the same moment. Knows ASGI and the generator; knows no
wire's words.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.errors import ServingError
from serving.exchange.identity import client_of
from serving.exchange.refusals import Refusals
from serving.generation import Generator


class Room:
    """ASGI middleware, inside of `Observed`, which says what a prediction is, and of the gate: strangers hear no more
    of this server than that they are strangers."""

    def __init__(self, app: ASGIApp, *, generator: Generator, refusals: Refusals, client_header: str) -> None:
        self._app = app
        self._generator = generator
        self._refusals = refusals
        self._client_header = client_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope.get("state", {}).get("is_prediction"):
            request = HTTPConnection(scope)
            try:
                self._generator.require_room(client=client_of(request, header=self._client_header))
            except ServingError as error:
                scope["state"]["failure"] = error.reason
                await self._refusals.response(request, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
