"""Puts the wires together as one ASGI application, renders every error, counts every prediction request.

Routes raise; only this file builds an error's body. Knows no engine.
"""

from __future__ import annotations

import logging
import time

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.config import ServerConfig
from serving.errors import EngineFailed, ServingError
from serving.generation import Generator
from serving.lifecycle import Lifecycle
from serving.metrics import ServerMetrics
from serving.wires.ops import ops_router
from serving.wires.vertex import VertexWire

log = logging.getLogger(__name__)


def create_app(config: ServerConfig, *, generator: Generator, lifecycle: Lifecycle, metrics: ServerMetrics) -> FastAPI:
    app = FastAPI(
        title="Flan-T5 server",
        description=f"Serves {config.name}. Health, predictions, metrics.",
        version="1",
        redoc_url=None,
    )
    app.include_router(VertexWire(config, generator=generator, lifecycle=lifecycle).router)
    app.include_router(ops_router(metrics))
    app.add_exception_handler(ServingError, _render)
    app.add_exception_handler(HTTPException, _render_http)
    app.add_exception_handler(Exception, _render_unexpected)
    app.add_middleware(RequestCount, route=config.predict_route, metrics=metrics)
    return app


class RequestCount:
    """Counts prediction requests: each ends in exactly one outcome, also when its client leaves."""

    def __init__(self, app: ASGIApp, *, route: str, metrics: ServerMetrics) -> None:
        self._app = app
        self._route = route
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._route:
            await self._app(scope, receive, send)
            return
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.monotonic()
        self._metrics.begin()
        state = scope.setdefault("state", {})
        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.monotonic() - started
            outcome = state.get("outcome") or ("ok" if status == 200 else f"http_{status}")
            self._metrics.end(outcome=outcome, seconds=seconds)
            # no prompt text in here: logs outlive requests, and are read by others
            log.info("%s %s -> %d %s in %.3f s", scope["method"], self._route, status, outcome, seconds)


async def _render(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ServingError):
        raise error
    request.state.outcome = error.reason
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else None
    return JSONResponse(error.body(), error.status, headers)


async def _render_http(request: Request, error: Exception) -> JSONResponse:
    """The framework's own refusals: no such path, method not allowed."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"{request.method} {request.url.path}: {error.detail}; see /docs"
    body = {"error": {"code": error.status_code, "reason": "http", "message": message}}
    return JSONResponse(body, error.status_code, error.headers)


async def _render_unexpected(request: Request, error: Exception) -> JSONResponse:
    request.state.outcome = "internal"
    failure = EngineFailed(f"an unexpected {type(error).__name__}; the server's log has the details")
    return JSONResponse(failure.body(), failure.status)
