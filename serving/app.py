"""Puts the wires together as one ASGI application, and renders every error that routes raise. Knows no engine.

All wires listen at once, on one port. Where two want the same path, docs/decisions/0013-every-wire-on-one-port.md
says whose it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match

from serving.access.gate import API_KEY, Gate, Rules
from serving.access.keys import Keys
from serving.access.quotas import Quota
from serving.chat import ChatTemplate
from serving.config import ServerConfig
from serving.errors import NotAllowed, NotFound, ServingError
from serving.exchange.exchange import Exchange
from serving.exchange.journal import Journal
from serving.exchange.observed import REQUEST_ID, Observed
from serving.exchange.raw import Raw, RawBodies
from serving.exchange.refusals import Refusals, Wire
from serving.exchange.room import Room
from serving.exchange.shedding import LoadShedder
from serving.generation import Generator
from serving.lifecycle import Lifecycle
from serving.telemetry.metrics import ServerMetrics
from serving.telemetry.tracing import Tracing
from serving.traits import Traits
from serving.wires.gke.wire import GkeWire
from serving.wires.health import HEALTH, PING, HealthWire
from serving.wires.kserve.messages import is_cloud_type
from serving.wires.kserve.wire import LIVE, READY, KServeWire
from serving.wires.openai.wire import OpenAIWire
from serving.wires.ops import ops_router
from serving.wires.sagemaker import SageMakerWire
from serving.wires.torchserve import TorchServeWire
from serving.wires.vertex.wire import VertexWire


@dataclass(frozen=True, slots=True)
class Front:
    """What connections ask: `shedder`, where there is one, before a request is the application's."""

    app: FastAPI
    shedder: LoadShedder | None


def create_front(
    config: ServerConfig,
    *,
    generator: Generator,
    lifecycle: Lifecycle,
    metrics: ServerMetrics,
    tracing: Tracing | None = None,
) -> Front:
    app = FastAPI(
        title="Flan-T5 server",
        description=f"Serves {config.name}. Health, predictions, metrics.",
        version="1",
        redoc_url=None,
    )
    wires = _wires(config, generator, lifecycle)
    refusals = Refusals(wires)
    # Vertex AI's first: a request is held against one route after the other, and most are for that one
    for wire in (wires[-1], *wires[:-1]):
        app.include_router(wire.router)
    app.include_router(ops_router(metrics))

    async def render(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, HTTPException):
            error = _as_refusal(request, error)
        if not isinstance(error, ServingError):
            raise error
        request.state.failure = error.reason
        return refusals.response(request, error)

    app.add_exception_handler(ServingError, render)
    app.add_exception_handler(HTTPException, render)
    rules = _rules(config)
    app.add_middleware(Room, generator=generator, refusals=refusals, client_header=config.client_header)
    app.add_middleware(Gate, rules=rules, refusals=refusals)
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.strip() for origin in config.cors_origins.split(",")],
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", API_KEY, REQUEST_ID],
            expose_headers=[REQUEST_ID, "retry-after"],
        )
    routes = dict.fromkeys(route for wire in wires for route in wire.predictions)
    journal = Journal(tuple(routes), metrics=metrics, tracing=tracing)
    app.add_middleware(Observed, journal=journal, refusals=refusals)
    if config.cors_origins or not rules.is_open:
        return Front(app, shedder=None)
    shedder = LoadShedder(generator=generator, journal=journal, refusals=refusals, client_header=config.client_header)
    return Front(app, shedder)


def _wires(config: ServerConfig, generator: Generator, lifecycle: Lifecycle) -> list[Wire]:
    """Vertex AI's last: its words are those of every path that belongs to nobody."""
    exchange = Exchange(config, generator)
    traits = Traits(config.model_dir)
    openai = OpenAIWire(config, exchange, template=ChatTemplate(config.chat_template, traits))
    kserve = KServeWire(config, exchange, lifecycle)
    foreign = [
        Raw(openai, lambda body: "messages" in body, openai.answer_chat),
        Raw(openai, lambda body: "prompt" in body, openai.answer_completion),
        Raw(kserve, _has_tensors, kserve.answer_message, is_cloud_type, kserve.answer_bytes),
    ]
    sagemaker = SageMakerWire(config, exchange, raw=RawBodies(foreign))
    foreign.append(Raw(sagemaker, lambda body: "inputs" in body, sagemaker.answer_json))
    torchserve = TorchServeWire(config, exchange, lifecycle=lifecycle, traits=traits)
    others: list[Wire] = [HealthWire(config, lifecycle), openai, kserve, sagemaker, torchserve, GkeWire(exchange)]
    has_route = not _is_taken(config.predict_route, others)
    vertex = VertexWire(config, exchange, raw=RawBodies(foreign), has_route=has_route)
    return [*others, vertex]


def _rules(config: ServerConfig) -> Rules:
    """Raises `KeysError`."""
    return Rules(
        keys=Keys.read(config.keys_file) if config.keys_file is not None else None,
        open_paths=frozenset((config.health_route, HEALTH, PING, LIVE, READY)),
        quota=Quota(config.client_requests_per_minute, config.client_tokens_per_minute),
        client_header=config.client_header,
    )


def _has_tensors(body: dict[str, Any]) -> bool:
    inputs = body.get("inputs")
    return isinstance(inputs, list) and bool(inputs) and all(isinstance(one, dict) for one in inputs)


def _is_taken(path: str, wires: list[Wire]) -> bool:
    """Whether AIP_PREDICT_ROUTE names another wire's route, such as /infer: then that wire answers Vertex AI."""
    scope = {"type": "http", "path": path, "method": "POST"}
    return any(route.matches(scope)[0] == Match.FULL for wire in wires for route in wire.router.routes)


def _as_refusal(request: Request, error: HTTPException) -> ServingError:
    """The framework's own: no such path, method not allowed."""
    refusal = NotAllowed if error.status_code == 405 else NotFound
    return refusal(f"{request.method} {request.url.path}: {error.detail}; see /docs")
