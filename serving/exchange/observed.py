"""Around every request: its ids, its place in the journal, and an answer when our own code fails.

Knows ASGI; knows no wire's words and no engine.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ServingError
from serving.exchange.journal import Journal
from serving.exchange.refusals import Refusals
from serving.telemetry.context import RequestContext, current, read
from serving.telemetry.logs import where
from serving.telemetry.metrics import ABORTED, INTERNAL

log = logging.getLogger(__name__)

REQUEST_ID = "x-request-id"


class Observed:
    """Counts prediction requests: each ends in exactly one way, also when its client leaves.

    Routes say why a request failed in `request.state.failure`; a status of 400 or more without it counts as
    `http_STATUS`. `request.state.is_prediction` tells those inside which requests these are.
    """

    def __init__(self, app: ASGIApp, *, journal: Journal, refusals: Refusals) -> None:
        self._app = app
        self._journal = journal
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = read(headers.get(REQUEST_ID), headers.get("traceparent"))
        token = current.set(context)
        try:
            route = self._journal.route_of(scope["path"])
            if route is not None:
                await self._count(scope, receive, send, context, route)
            else:
                await self._guarded(scope, receive, _Status(send, context))
        finally:
            current.reset(token)

    async def _count(self, scope: Scope, receive: Receive, send: Send, context: RequestContext, route: str) -> None:
        state = scope.setdefault("state", {})
        state["is_prediction"] = True
        status = _Status(send, context)
        started = self._journal.begin()
        failure: str | None = ABORTED
        try:
            await self._guarded(scope, receive, status)
            failure = state.get("failure") or (None if status.code < 400 else f"http_{status.code}")
        finally:
            what = f"{scope['method']} {route}"
            self._journal.end(context, what, started=started, status=status.code, failure=failure)

    async def _guarded(self, scope: Scope, receive: Receive, send: _Status) -> None:
        """Answers 500 where the application fails: outside of it, a server would log the exception with its text."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 (the outermost frame of a request)
            log.error("an unexpected %s", where(error))
            scope.setdefault("state", {})["failure"] = INTERNAL
            if not send.code:
                failure = ServingError(f"an unexpected {type(error).__name__}; the server's log has the details")
                await self._refusals.response(HTTPConnection(scope), failure)(scope, receive, send)


class _Status:
    """A `send` that remembers the status, and names the request in the answer's headers."""

    def __init__(self, send: Send, context: RequestContext) -> None:
        self._send = send
        self._context = context
        self.code = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.code = message["status"]
            MutableHeaders(scope=message)[REQUEST_ID] = self._context.request_id
        await self._send(message)
