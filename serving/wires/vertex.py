"""Vertex AI's wire: `{"instances": […], "parameters": {…}}` in, `{"predictions": […]}` out, or server-sent events.

Translates to and from `GenerateBody`; knows no engine, no queue, no limits but those of the body's shape.
Source: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from starlette.types import Receive, Scope, Send

from serving.config import MOST_INSTANCES, ServerConfig
from serving.errors import ClientGone, InvalidRequest, ServingError
from serving.generation import Generation, Generator
from serving.lifecycle import Lifecycle
from serving.request import GenerateBody, Parameters, refuse_many_names
from serving.sequence import Completion, Delta
from serving.wires.bodies import read_json, while_connected
from serving.wires.deadline import HEADER, timeout_of
from serving.wires.identity import client_of


def _as_object(value: object) -> object:
    """ "text" and ["text"] mean {"prompt": "text"}."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return {"prompt": value}
    if isinstance(value, dict | GenerateBody):
        return value
    raise ValueError('should be "text", ["text"] or {"prompt": "text"}')


Instance = Annotated[GenerateBody, BeforeValidator(_as_object)]


class PredictRequest(BaseModel):
    """A prediction request. Parameters of an instance win over the shared ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    # the server's own limit is lower; this one keeps a hundred thousand instances from being looked at
    instances: list[Instance] = Field(min_length=1, max_length=MOST_INSTANCES)
    parameters: Parameters | None = None  # Google's own client sends null when it is given none
    stream: bool = Field(default=False, description="answer with server-sent events; for streamRawPredict")

    @model_validator(mode="before")
    @classmethod
    def _refuse_many_names(cls, value: object) -> object:
        refuse_many_names(value)
        return value

    def bodies(self) -> list[GenerateBody]:
        shared = self.parameters.model_dump(exclude_unset=True) if self.parameters else {}
        return [GenerateBody(**{**shared, **i.model_dump(exclude_unset=True)}) for i in self.instances]


_NAMES = (*PredictRequest.model_fields, *GenerateBody.model_fields)


class PredictResponse(BaseModel):
    """One prediction per instance, in order."""

    predictions: list[str]


class VertexWire:
    """The two routes that Vertex AI calls."""

    def __init__(self, config: ServerConfig, *, generator: Generator, lifecycle: Lifecycle) -> None:
        self._config = config
        self._generator = generator
        self._lifecycle = lifecycle
        self.router = APIRouter(tags=["Vertex AI"])
        self.router.add_api_route(config.health_route, self.health, methods=["GET"], summary="Is it ready?")
        self.router.add_api_route(
            config.predict_route,
            self.predict,
            methods=["POST"],
            summary="One prediction per instance",
            response_model=None,
            responses={200: {"model": PredictResponse, "content": _EVENTS}, **_FAILURES},
            openapi_extra=_request_body(),
        )

    async def health(self) -> JSONResponse:
        """200 once the weights are loaded and a warm-up generation has passed; 503 before, and while draining."""
        return JSONResponse(self._lifecycle.snapshot(), 200 if self._lifecycle.is_healthy else 503)

    async def predict(self, request: Request) -> Response:
        """Answers `{"predictions": […]}`, or with `"stream": true` server-sent events of the text as it grows."""
        client = client_of(request, header=self._config.client_header)
        self._generator.require_room(client=client)
        body = await read_json(request, PredictRequest, max_bytes=self._config.max_body_bytes, known=_NAMES)
        if len(body.instances) > self._config.max_instances:
            raise InvalidRequest(
                f"instances: got {len(body.instances)}, at most {self._config.max_instances} are allowed in one request"
            )
        generation = await self._generator.submit(
            body.bodies(), client=client, timeout_s=timeout_of(request), is_streaming=body.stream
        )
        if body.stream:
            return _EventStream(request, generation)
        predictions: list[Any] = [c.text for c in await while_connected(request, generation.completions())]
        if self._config.legacy_nesting:
            predictions = [predictions]
        return JSONResponse({"predictions": predictions})


class _EventStream(StreamingResponse):
    """Deltas `{"index", "text"}`, one `{"index", "finish_reason", "num_tokens"}` per instance, then `[DONE]`."""

    def __init__(self, request: Request, generation: Generation) -> None:
        super().__init__(self._lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._state = request.state
        self._generation = generation
        self._is_told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # here, not in _lines: the client may leave before the first line is asked for
            if not self._is_told:
                gone = ClientGone("the client closed the connection before the stream had ended")
                self._state.failure = gone.reason
                self._generation.cancel(gone)

    async def _lines(self) -> AsyncIterator[str]:
        try:
            async with aclosing(self._generation.batches()) as batches:
                async for batch in batches:
                    yield "".join(_line(index, event) for index, event in batch)
        except ServingError as error:
            # the status line is long gone: the error is the last event
            self._state.failure = error.reason
            self._is_told = True
            yield f"event: error\ndata: {json.dumps(error.body(), ensure_ascii=False)}\n\n"
            return
        self._is_told = True
        yield "data: [DONE]\n\n"


def _line(index: int, event: Delta | Completion) -> str:
    if isinstance(event, Delta):
        told: dict[str, Any] = {"index": index, "text": event.text}
    else:
        told = {"index": index, "finish_reason": event.finish_reason, "num_tokens": event.num_tokens}
    return f"data: {json.dumps(told, ensure_ascii=False)}\n\n"


_EVENTS = {
    "text/event-stream": {
        "example": 'data: {"index": 0, "text": "Ich"}\n\n'
        'data: {"index": 0, "finish_reason": "eos", "num_tokens": 7}\n\ndata: [DONE]\n\n',
    }
}
_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"description": "the body is not JSON"},
    413: {"description": "the body is too large"},
    415: {"description": "the body is compressed"},
    422: {"description": "the body has to change; the message says what, the value got, the value allowed"},
    429: {"description": "the queue is full; Retry-After says when to come back"},
    500: {"description": "the engine failed on this batch"},
    503: {"description": "the weights still load, or the server is going away"},
    504: {"description": f"not finished within REQUEST_TIMEOUT_S, or what header {HEADER} asks for"},
}


def _request_body() -> dict[str, Any]:
    """For /docs: the route reads its body itself, so that one handler words every error."""
    schema = PredictRequest.model_json_schema()
    instance = schema.pop("$defs")
    schema["properties"]["parameters"] = instance["Parameters"]
    schema["properties"]["instances"]["items"] = {
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1},
            instance["GenerateBody"],
        ]
    }
    example = {
        "instances": ["Translate to German: How old are you?", {"prompt": "Tell me a story.", "temperature": 0.8}],
        "parameters": {"max_new_tokens": 64, "seed": 7},
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}
