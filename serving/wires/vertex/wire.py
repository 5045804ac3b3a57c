"""Vertex AI's wire: `{"instances": […], "parameters": {…}}` in, `{"predictions": […]}` out, or server-sent events.

Translates to and from `GenerateBody`; knows no engine, no queue, no limits but Vertex AI's own.
rawPredict hands any body to the same route: those of other wires are answered in that wire's words, and lines of
JSON as batch prediction writes them.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from serving.config import ServerConfig
from serving.errors import DeadlineExceeded, ServingError
from serving.exchange.bodies import checked, parse_json, parse_lines, while_connected
from serving.exchange.documented import GENERATING, body_of, failures, inlined
from serving.exchange.exchange import Exchange
from serving.exchange.instances import instance_schema
from serving.exchange.media import LINES, is_lines, lines_of
from serving.exchange.raw import RawBodies
from serving.exchange.stream import DONE, EventStream, data
from serving.request import GenerateBody
from serving.sequence import Completion, Delta
from serving.wires.vertex.limits import limits_of
from serving.wires.vertex.request import NAMES, PredictRequest, PredictResponse, answer


class VertexWire:
    """The route that Vertex AI calls. `raw`: who answers bodies that are not Vertex AI's."""

    paths: tuple[str, ...] = ()

    def __init__(self, config: ServerConfig, exchange: Exchange, *, raw: RawBodies, has_route: bool = True) -> None:
        self._config = config
        self._exchange = exchange
        self._raw = raw
        self._limits = limits_of(config)
        self.predictions = (config.predict_route,)
        self.router = APIRouter(tags=["Vertex AI"])
        if not has_route:  # another wire's path was named, and that wire answers there
            return
        self.router.add_api_route(
            config.predict_route,
            self.predict,
            methods=["POST"],
            summary="One prediction per instance",
            response_model=None,
            responses={200: {"model": PredictResponse, "content": _EVENTS}, **failures(*GENERATING, 404, 422)},
            openapi_extra=_request_body(),
        )

    def refusal(self, error: ServingError) -> tuple[int, Any]:
        return error.status, error.body()

    async def predict(self, request: Request) -> Response:
        """Answers `{"predictions": […]}`, or with `"stream": true` server-sent events of the text as it grows."""
        raw = await self._exchange.read_bytes(request, max_bytes=self._limits.max_bytes, why=self._limits.size)
        if is_lines(request.headers.get("content-type", "")):
            return await self._predict_lines(request, parse_lines(raw, max_lines=self._config.max_instances))
        other = await self._raw.answer_bytes(request, raw)
        if other is not None:
            return other
        value = parse_json(raw)
        if isinstance(value, dict) and "instances" not in value:
            other = await self._raw.answer(request, value)
        return other or await self._predict(request, checked(value, PredictRequest, known=NAMES))

    async def _predict(self, request: Request, body: PredictRequest) -> Response:
        if not body.stream:
            completions = await self._completions(request, body.bodies())
            return self._fitting(JSONResponse(answer(completions, nesting=self._config.legacy_nesting)))
        self._limits.check_stream()
        generation = await self._exchange.start(
            request, body.bodies(), is_streaming=True, timeout_s=self._limits.work_s
        )
        return EventStream(request, generation, _Narrator(), explained=self._limits.explained)

    async def _predict_lines(self, request: Request, lines: list[Any]) -> Response:
        """As batch prediction reads and writes: an instance a line in, `{"instance", "prediction"}` a line out."""
        body = checked({"instances": lines}, PredictRequest, known=NAMES)
        completions = await self._completions(request, body.bodies())
        told = [
            {"instance": line, "prediction": completion.text}
            for line, completion in zip(lines, completions, strict=True)
        ]
        return self._fitting(Response(lines_of(told), media_type=LINES[0]))

    async def _completions(self, request: Request, bodies: list[GenerateBody]) -> list[Completion]:
        generation = await self._exchange.start(request, bodies, timeout_s=self._limits.work_s)
        try:
            return await while_connected(request, generation.completions())
        except DeadlineExceeded as error:
            raise self._limits.explained(error) from None

    def _fitting(self, response: Response) -> Response:
        self._limits.check_answer(len(response.body))
        return response


class _Narrator:
    """Deltas `{"index", "text"}`, one `{"index", "finish_reason", "num_tokens"}` per instance, then `[DONE]`."""

    def begin(self) -> str:
        return ""

    def event(self, index: int, event: Delta | Completion) -> str:
        if isinstance(event, Delta):
            return data({"index": index, "text": event.text})
        return data({"index": index, "finish_reason": event.finish_reason, "num_tokens": event.num_tokens})

    def failure(self, error: ServingError) -> str:
        return data(error.body(), event="error")

    def end(self) -> str:
        return DONE


_EVENTS = {
    "text/event-stream": {
        "example": 'data: {"index": 0, "text": "Ich"}\n\n'
        'data: {"index": 0, "finish_reason": "eos", "num_tokens": 7}\n\ndata: [DONE]\n\n',
    },
    **{media: {"example": json.dumps({"instance": "Hi", "prediction": "Hallo"})} for media in LINES},
}


def _request_body() -> dict[str, Any]:
    schema = inlined(PredictRequest)
    schema["properties"]["instances"]["items"] = instance_schema(inlined(GenerateBody))
    example = {
        "instances": ["Translate to German: How old are you?", {"prompt": "Tell me a story.", "temperature": 0.8}],
        "parameters": {"max_new_tokens": 64, "seed": 7},
    }
    return body_of({"application/json": {"schema": schema, "example": example}})
