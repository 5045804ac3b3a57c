"""Is it alive, is it ready: one answer that every platform's probe and every client understands.

Vertex AI, SageMaker and Kubernetes read the status alone, 200 or 503; the demos' clients read a word of the body.
Knows the server's life; knows no wire of predictions.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from serving.config import ServerConfig
from serving.errors import ServingError
from serving.exchange.documented import failures
from serving.folder_defaults import FolderDefaults
from serving.lifecycle import Lifecycle

HEALTH, PING = "/health", "/ping"


class HealthWire:
    """`/health`, Vertex AI's own health route, and `/ping`."""

    predictions: tuple[str, ...] = ()

    def __init__(self, config: ServerConfig, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._model_dir = config.model_dir
        self.paths = tuple(dict.fromkeys([config.health_route, HEALTH, PING]))
        self.router = APIRouter(tags=["health"])
        for path in self.paths:
            self.router.add_api_route(
                path,
                self.ping if path == PING else self.health,
                methods=["GET"],
                summary="Is it ready?",
                responses=failures(503),
                response_class=JSONResponse,
            )

    def refusal(self, error: ServingError) -> tuple[int, Any]:
        return error.status, error.body()

    async def health(self) -> JSONResponse:
        """200 once the weights are loaded and a warm-up generation has passed; 503 before, and while draining."""
        if self._lifecycle.is_healthy:
            return JSONResponse({**self._lifecycle.snapshot(), "health": "ok", **self._template})
        return JSONResponse(self._lifecycle.snapshot(), 503)

    @cached_property
    def _template(self) -> dict[str, str]:
        """What the server puts around each prompt, once the folder is there and has been loaded."""
        template = FolderDefaults.of(self._model_dir).template
        return {} if template is None else {"prompt_template": template.text}

    async def ping(self) -> JSONResponse:
        """As /health, in the words of TorchServe; SageMaker reads the status."""
        if self._lifecycle.is_healthy:
            return JSONResponse({"status": "Healthy"})
        return JSONResponse({**self._lifecycle.snapshot(), "status": "Unhealthy"}, 503)
