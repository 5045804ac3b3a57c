"""The REST routes of Vertex AI's PredictionService: predict, rawPredict, streamRawPredict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from localcloud.cloud import LocalCloud
from localcloud.errors import CODES, ApiError, invalid
from localcloud.monitoring.predictions import Answering, answering
from localcloud.store import Document
from localcloud.vertex.addressing import Addressing
from localcloud.vertex.endpoint_routes import NAME
from localcloud.vertex.prediction import Predictions, Target, forwarded, pieces

_STATUS_NAMES = {http: name for name, (_, http) in reversed(CODES.items())} | {400: "INVALID_ARGUMENT"}


class PredictionRoutes:
    """One request each; the deciding is done in `localcloud.vertex.prediction`."""

    def __init__(self, cloud: LocalCloud, predictions: Predictions) -> None:
        self._predictions = predictions
        self._log = cloud.predictions
        self._address = Addressing(cloud.projects)
        self._dedicated_port = urlsplit(cloud.dedicated_url).port

    def add(self, routes: APIRouter, prefix: str) -> None:
        path = f"{prefix}{NAME}"
        routes.add_api_route(f"{path}:predict", self.predict, methods=["POST"])
        routes.add_api_route(f"{path}:rawPredict", self.raw_predict, methods=["POST"])
        routes.add_api_route(f"{path}:streamRawPredict", self.stream_raw_predict, methods=["POST"])

    async def predict(self, request: Request) -> Response:
        raw = await request.body()
        with answering(self._log) as one:
            target = self._target(request, raw, one)
            body = _checked_predict(raw)
            one.instances = len(body["instances"])
            asked = {key: body[key] for key in ("instances", "parameters") if key in body}
            headers = {"content-type": "application/json", **_traced(request.headers)}
            with one.by_model():
                answer = await self._predictions.ask(target, json.dumps(asked).encode(), headers)
            if answer.status_code != 200:
                one.end(answer.status_code)
                return _container_error(answer)
            predicted = _predictions_of(answer)
            one.end(200)
        return JSONResponse({**predicted, **self._predictions.answered_by(target)})

    async def raw_predict(self, request: Request) -> Response:
        raw = await request.body()
        with answering(self._log) as one:
            target = self._target(request, raw, one)
            with one.by_model():
                answer = await self._predictions.ask(target, raw, request.headers)
            one.end(answer.status_code)
        return Response(answer.content, answer.status_code, headers=_raw_headers(target, answer))

    async def stream_raw_predict(self, request: Request) -> Response:
        raw = await request.body()
        with answering(self._log) as one:
            target = self._target(request, raw, one)
            with one.by_model():
                answer = await self._predictions.stream(target, raw, request.headers)
        return StreamingResponse(pieces(answer, one), answer.status_code, headers=_raw_headers(target, answer))

    def _target(self, request: Request, raw: bytes, one: Answering) -> Target:
        server = request.scope.get("server")
        return self._predictions.target(
            self._address.name(request, "endpoint"),
            one,
            on_dedicated_domain=server is not None and server[1] == self._dedicated_port,
            size_bytes=len(raw),
        )


def _checked_predict(raw: bytes) -> Document:
    try:
        body = json.loads(raw or b"{}")
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("instances"), list):
        raise invalid("Invalid predict request: `instances` must be a list. Other shapes go to :rawPredict.")
    return body


def _predictions_of(answer: httpx.Response) -> Document:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "predictions" not in body:
        raise ApiError(
            "INTERNAL",
            "The model server's response is not a JSON object with `predictions`: "
            f"{answer.text[:200]!r}. Other shapes go to :rawPredict.",
        )
    return {key: body[key] for key in ("predictions", "metadata") if key in body}


def _container_error(answer: httpx.Response) -> Response:
    """The container's own status, its body as the message, in Google's shape."""
    error = {
        "code": answer.status_code,
        "message": answer.text,
        "status": _STATUS_NAMES.get(answer.status_code, "INVALID_ARGUMENT" if answer.status_code < 500 else "INTERNAL"),
    }
    kept = {"retry-after": answer.headers["retry-after"]} if "retry-after" in answer.headers else {}
    return JSONResponse({"error": error}, answer.status_code, headers=kept)


def _traced(headers: Mapping[str, str]) -> dict[str, str]:
    """What joins the container's traces and logs to the caller's."""
    names = ("traceparent", "x-cloud-trace-context", "x-request-id")
    return {name: headers[name] for name in names if name in headers}


def _raw_headers(target: Target, answer: httpx.Response) -> dict[str, str]:
    headers = forwarded(answer.headers)
    return {
        **headers,
        "X-Vertex-AI-Endpoint-Id": target.endpoint["name"].rsplit("/", 1)[1],
        "X-Vertex-AI-Deployed-Model-Id": target.deployed["id"],
    }
