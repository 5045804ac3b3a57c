"""Around every request: its ids, its count, its log line, its trace, and an answer when our own code fails.

Knows ASGI, metrics and traces; knows no wire's words and no engine.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ServingError
from serving.exchange.refusals import Refusals
from serving.telemetry.context import RequestContext, current, read
from serving.telemetry.logs import where
from serving.telemetry.metrics import ABORTED, INTERNAL, ServerMetrics
from serving.telemetry.tracing import Tracing

log = logging.getLogger(__name__)

REQUEST_ID = "x-request-id"


class Observed:
    """Counts prediction requests: each ends in exactly one way, also when its client leaves.

    Routes say why a request failed in `request.state.failure`; a status of 400 or more without it counts as
    `http_STATUS`. `request.state.is_prediction` tells those inside which requests these are.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[str],
        refusals: Refusals,
        metrics: ServerMetrics,
        tracing: Tracing | None,
    ) -> None:
        """`routes` are path templates, such as /predictions/{model}: a log line names them, not what a client wrote."""
        self._app = app
        self._routes = [(compile_path(route)[0], route) for route in routes]
        self._refusals = refusals
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = read(headers.get(REQUEST_ID), headers.get("traceparent"))
        token = current.set(context)
        try:
            route = next((template for pattern, template in self._routes if pattern.match(scope["path"])), None)
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
        started = time.monotonic()
        self._metrics.begin()
        failure: str | None = ABORTED
        try:
            await self._guarded(scope, receive, status)
            failure = state.get("failure") or (None if status.code < 400 else f"http_{status.code}")
        finally:
            seconds = time.monotonic() - started
            self._metrics.end(failure=failure, seconds=seconds)
            _tell(f"{scope['method']} {route}", status.code, failure, seconds)
            if self._tracing is not None:
                self._tracing.record(
                    context, f"{scope['method']} {route}", started=started, status=status.code, failure=failure
                )

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


def _tell(what: str, status: int, failure: str | None, seconds: float) -> None:
    outcome = failure or "ok"
    log.info(
        "%s -> %d %s in %.3f s",
        what,
        status,
        outcome,
        seconds,
        extra={"fields": {"status": status, "outcome": outcome, "seconds": round(seconds, 4)}},
    )


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
