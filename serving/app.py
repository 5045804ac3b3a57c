"""Puts the wires together as one ASGI application, and renders every error that routes raise. Knows no engine."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from serving.config import ServerConfig
from serving.errors import ServingError
from serving.generation import Generator
from serving.lifecycle import Lifecycle
from serving.metrics import ServerMetrics
from serving.tracing import Tracing
from serving.wires.observed import Observed
from serving.wires.ops import ops_router
from serving.wires.vertex import VertexWire


def create_app(
    config: ServerConfig,
    *,
    generator: Generator,
    lifecycle: Lifecycle,
    metrics: ServerMetrics,
    tracing: Tracing | None = None,
) -> FastAPI:
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
    app.add_middleware(Observed, route=config.predict_route, metrics=metrics, tracing=tracing)
    return app


async def _render(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ServingError):
        raise error
    request.state.failure = error.reason
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else None
    return JSONResponse(error.body(), error.status, headers)


async def _render_http(request: Request, error: Exception) -> JSONResponse:
    """The framework's own refusals: no such path, method not allowed."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"{request.method} {request.url.path}: {error.detail}; see /docs"
    body = {"error": {"code": error.status_code, "reason": "http", "message": message}}
    return JSONResponse(body, error.status_code, error.headers)
