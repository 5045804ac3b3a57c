"""Composes the local cloud: its state, its services' routes, and errors in Google's shape.

Knows which services there are; what they do is theirs.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from localcloud import (
    artifactregistry,
    cloudrun,
    control,
    iam,
    metadata,
    operation_routes,
    quotas,
    serviceusage,
    storage,
)
from localcloud.cloud import LocalCloud
from localcloud.cloudbuild import routes as cloudbuild
from localcloud.cloudlogging import routes as cloudlogging
from localcloud.config import ServeConfig
from localcloud.errors import ApiError, invalid
from localcloud.faults import Faults
from localcloud.gate import Gate
from localcloud.images.store import ImageStore
from localcloud.journal import Journal
from localcloud.monitoring import routes as monitoring
from localcloud.monitoring.predictions import PredictionLog
from localcloud.operations import Operations
from localcloud.projects import Projects
from localcloud.runtime.process import Timing
from localcloud.runtime.supervisor import Supervisor
from localcloud.runtime.task import Tasks
from localcloud.store import Store
from localcloud.vertex import service as vertex

SERVICES = (
    vertex,
    cloudbuild,
    cloudlogging,
    artifactregistry,
    cloudrun,
    storage,
    serviceusage,
    quotas,
    metadata,
    iam,
    monitoring,
)
logger = logging.getLogger("localcloud")


def build(config: ServeConfig) -> LocalCloud:
    """Opens the data folder. Nothing runs yet."""
    data_dir = config.data_dir.resolve()
    store = Store(data_dir / "state.sqlite")
    faults = Faults()
    projects = Projects(config.project_numbers)
    projects.learn(store.names())
    return LocalCloud(
        store=store,
        operations=Operations(store, stage_seconds=config.stage_seconds, faults=faults),
        projects=projects,
        images=ImageStore(data_dir / "images"),
        supervisor=Supervisor(faults=faults, timing=Timing(config.probe_period_s, config.grace_s)),
        tasks=Tasks(grace_s=config.grace_s),
        faults=faults,
        journal=Journal(data_dir / "logs" / "journal.jsonl"),
        predictions=PredictionLog(data_dir / "logs" / "predictions.jsonl"),
        data_dir=data_dir,
        base_url=config.base_url,
        dedicated_url=config.dedicated_url,
        stage_seconds=config.stage_seconds,
        ready_timeout_s=config.ready_timeout_s,
        port_window_s=config.port_window_s,
    )


def create(cloud: LocalCloud, *, stop: Callable[[], None]) -> ASGIApp:
    """The application behind both listeners. stop: called when a client asks the local cloud to end."""
    app = FastAPI(title="A local Google Cloud", lifespan=lambda _: _lifespan(cloud), redirect_slashes=False)
    app.include_router(control.router(cloud, stop=stop))
    for service in SERVICES:
        app.include_router(service.router(cloud))
    app.include_router(operation_routes.router(cloud))
    app.add_exception_handler(ApiError, _refuse)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(RequestValidationError, _bad_parameters)
    app.add_exception_handler(Exception, _fail)
    return Gate(app, cloud)


@asynccontextmanager
async def _lifespan(cloud: LocalCloud) -> AsyncIterator[None]:
    await anyio.to_thread.run_sync(_start, cloud)
    yield
    await anyio.to_thread.run_sync(_stop, cloud)


def _start(cloud: LocalCloud) -> None:
    for service in SERVICES:
        if hasattr(service, "register"):
            service.register(cloud)
    for starter in cloud.starters:
        try:
            starter()
        except (ApiError, OSError, LookupError, ValueError):
            # An image that is gone, say: what a service cannot start again must not keep the rest from starting.
            logger.exception("%s did not start all that ran before", starter.__qualname__)
    cloud.operations.resume()


def _stop(cloud: LocalCloud) -> None:
    """Operations first: a deployment that is waiting must not start what is being stopped."""
    cloud.operations.stop()
    cloud.supervisor.stop_all()
    cloud.tasks.end_all()
    cloud.journal.close()
    cloud.predictions.close()
    cloud.store.close()


def _refuse(_: Request, error: Exception) -> JSONResponse:
    refusal = error if isinstance(error, ApiError) else ApiError("INTERNAL", str(error))
    return JSONResponse(refusal.as_http_body(), status_code=refusal.http_status)


def _no_such_route(request: Request, error: Exception) -> JSONResponse:
    code = error.status_code if isinstance(error, HTTPException) else 404
    message = f"The local cloud does not serve {request.method} {request.url.path}."
    return _refuse(request, ApiError("UNIMPLEMENTED" if code == 405 else "NOT_FOUND", message))


def _bad_parameters(request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    return _refuse(request, invalid("; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in problems)))


def _fail(request: Request, error: Exception) -> JSONResponse:
    logger.exception("%s %s failed", request.method, request.url.path, exc_info=error)
    return _refuse(request, ApiError("INTERNAL", f"{type(error).__name__}: {error}"))
