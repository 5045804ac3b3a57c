"""TorchServe's wire: `/predictions/{model}`, and its management routes for reading alone.

Takes the JSON envelope `{"instances": […]}` and raw bodies. Models are asked as that demo's handlers asked them: a
dolly's instruction template around the prompt; a decoder's answer with its prompt in front.
Source: https://pytorch.org/serve/inference_api.html, https://pytorch.org/serve/management_api.html
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from serving.config import MOST_INSTANCES, ServerConfig
from serving.errors import MalformedBody, NotAllowed, NotFound, ServingError
from serving.exchange.bodies import checked, parse_json
from serving.exchange.documented import GENERATING, body_of, failures, inlined
from serving.exchange.exchange import Exchange
from serving.exchange.instances import Instance, instance_schema
from serving.exchange.media import JSON, media_type
from serving.lifecycle import Lifecycle
from serving.request import GenerateBody, Parameters
from serving.traits import DOLLY_END, DOLLY_TEMPLATE, Traits

PREDICTIONS, MODELS = "/predictions/{model}", "/models"
VERSION = "1.0"
TYPES = {
    400: "BadRequestException",
    401: "InvalidKeyException",
    404: "ResourceNotFoundException",
    405: "MethodNotAllowedException",
    413: "RequestEntityTooLargeException",
    503: "ServiceUnavailableException",
}


class Envelope(BaseModel):
    """The JSON envelope; `parameters` are this server's own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    instances: list[Instance] = Field(min_length=1, max_length=MOST_INSTANCES)
    parameters: Parameters | None = None


NAMES = (*Envelope.model_fields, *GenerateBody.model_fields)


class TorchServeWire:
    """One model, under the server's name for it and the one that AIP_PREDICT_ROUTE gives it."""

    paths: tuple[str, ...] = ("/predictions/", MODELS, MODELS + "/")
    predictions: tuple[str, ...] = (PREDICTIONS, PREDICTIONS + "/{version}")

    def __init__(self, config: ServerConfig, exchange: Exchange, *, lifecycle: Lifecycle, traits: Traits) -> None:
        self._config = config
        self._exchange = exchange
        self._lifecycle = lifecycle
        self._traits = traits
        self._started = datetime.now(UTC)
        self._names = {config.name}
        if config.predict_route.startswith("/predictions/"):
            self._names.add(config.predict_route.split("/")[2])
        self.router = APIRouter(tags=["TorchServe"])
        for path in self.predictions:
            self.router.add_api_route(
                path,
                self.predict,
                methods=["POST"],
                summary="One prediction per instance",
                response_model=None,
                responses={200: _ANSWER, **failures(*GENERATING, 404)},
                openapi_extra=body_of(_BODIES),
            )
        self._add_management()

    def _add_management(self) -> None:
        add = self.router.add_api_route
        add(MODELS, self.models, methods=["GET"], summary="The model", responses=failures(401))
        for path in (MODELS + "/{model}", MODELS + "/{model}/{version}"):
            add(path, self.model, methods=["GET"], summary="How the model runs", responses=failures(401, 404))
        for path, methods in (
            (MODELS, ["POST"]),
            (MODELS + "/{model}", ["PUT", "DELETE", "POST"]),
            (MODELS + "/{model}/{version}", ["PUT", "DELETE", "POST"]),
            (MODELS + "/{model}/{version}/set-default", ["PUT"]),
        ):
            add(path, self.refuse, methods=methods, include_in_schema=False)

    def refusal(self, error: ServingError) -> tuple[int, Any]:
        status = 400 if error.status in (415, 422) else error.status
        kind = TYPES.get(status, "InternalServerException")
        if status == 404 and error.param is not None:
            kind = f"Model{error.param}NotFoundException"
        return status, {"code": status, "type": kind, "message": error.message}

    async def predict(self, request: Request, model: str, version: str = VERSION) -> Response:
        """JSON with `instances` gets JSON with `predictions`; another body is one prompt, and gets text."""
        self._require(model, version)
        raw = await self._exchange.read_bytes(request)
        is_json = _is_json(raw, request.headers.get("content-type", ""))
        value = parse_json(raw) if is_json else {"instances": [_text(raw)]}
        body = checked(value, Envelope, known=NAMES)
        shared = body.parameters.model_dump(exclude_unset=True) if body.parameters else {}
        asked = [{**shared, **one.model_dump(exclude_unset=True)} for one in body.instances]
        completions = await self._exchange.completions(
            request, [GenerateBody(**self._as_tuned(one)) for one in asked], named="instances"
        )
        texts = [self._shown(one["prompt"], done.text) for one, done in zip(asked, completions, strict=True)]
        return JSONResponse({"predictions": texts}) if is_json else Response(texts[0], media_type="text/plain")

    async def models(self) -> JSONResponse:
        name = self._config.name
        return JSONResponse({"models": [{"modelName": name, "modelUrl": str(self._config.model_dir)}]})

    async def model(self, model: str, version: str = VERSION) -> JSONResponse:
        """The server has one worker, which batches by itself."""
        if version != "all":
            self._require(model, version)
        self._require(model, VERSION)
        status = "READY" if self._lifecycle.is_healthy else "LOADING"
        worker = {"id": "0", "startTime": self._started.isoformat(), "status": status, "pid": os.getpid()}
        described = {
            "modelName": self._config.name,
            "modelVersion": VERSION,
            "modelUrl": str(self._config.model_dir),
            "runtime": "python",
            "minWorkers": 1,
            "maxWorkers": 1,
            "batchSize": self._config.max_batch_size,
            "maxBatchDelay": 0,
            "loadedAtStartup": True,
            "workers": [worker],
        }
        return JSONResponse([described])

    async def refuse(self, request: Request) -> Response:
        """TorchServe's management, and the routes of SageMaker's multi-model endpoints."""
        raise NotAllowed(
            f"{request.method} {request.url.path}: this image serves one model, {self._config.name!r}, from its start "
            "to its end; models are not loaded, scaled or removed here, and multi-model endpoints are not served: "
            "start a server (make an endpoint) for each model"
        )

    def _require(self, model: str, version: str) -> None:
        if model not in self._names:
            raise NotFound(f"Model not found: {model[:60]}; this server serves {self._config.name}", param="")
        if version != VERSION:
            raise NotFound(f"Model version not found: {version[:60]}; this server serves {VERSION}", param="Version")

    def _as_tuned(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._traits.is_dolly:
            return asked
        stop = asked.get("stop", [])
        stops = [stop] if isinstance(stop, str) else list(stop)
        return {**asked, "prompt": DOLLY_TEMPLATE.format(instruction=asked["prompt"]), "stop": [*stops[:3], DOLLY_END]}

    def _shown(self, prompt: str, text: str) -> str:
        if self._traits.is_dolly:
            return text.strip()
        return prompt + text if self._traits.is_causal else text


def _is_json(raw: bytes, content_type: str) -> bool:
    kind = media_type(content_type)
    # curl names the type of a form where it is told none
    return kind == JSON or (kind in ("", "application/x-www-form-urlencoded") and raw.lstrip()[:1] in (b"{", b"["))


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the body is neither JSON nor text in UTF-8: {error}") from None


_ENVELOPE = inlined(Envelope)
_ENVELOPE["properties"]["instances"]["items"] = instance_schema(inlined(GenerateBody))
_BODIES: dict[str, Any] = {
    JSON: {"schema": _ENVELOPE, "example": {"instances": ["How to prepare a spanish omelette:"]}},
    "text/plain": {"schema": {"type": "string"}, "example": "How to prepare a spanish omelette:"},
}
_ANSWER = {"description": "one prediction per instance", "content": {JSON: {}, "text/plain": {}}}
