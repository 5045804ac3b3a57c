"""SageMaker's wire: `/invocations` in JSON, lines of JSON, CSV or plain text; `/execution-parameters`.

The body is that of Hugging Face's containers, `{"inputs", "parameters"}`. Real-time, asynchronous and batch-transform
requests are alike here: SageMaker reads the object and sends it. `/ping` is in `serving.wires.health`, and the routes
of multi-model endpoints are refused in `serving.wires.torchserve`, where their paths come from.
Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from serving.config import MOST_INSTANCES, ServerConfig
from serving.errors import InvalidRequest, MalformedBody, ServingError, UnreadableBody
from serving.exchange.bodies import checked, parse_json, parse_lines
from serving.exchange.documented import GENERATING, body_of, failures, inlined
from serving.exchange.exchange import Exchange
from serving.exchange.media import JSON, LINES, lines_of, media_type
from serving.exchange.raw import RawBodies
from serving.exchange.stream import EventStream, data
from serving.request import GenerateBody, Parameters
from serving.sequence import Completion, Delta

INVOCATIONS, EXECUTION = "/invocations", "/execution-parameters"
CSV, PLAIN = "text/csv", "text/plain"
TARGET_MODEL = "x-amzn-sagemaker-target-model"
# of a batch transform: its product with the number of concurrent requests may be 100
MAX_TRANSFORM_MB = 100
# JSON, and what curl and some clients say of it when they are told nothing
UNTYPED = (JSON, "application/x-www-form-urlencoded", "application/octet-stream")
REASONS = {"eos": "eos_token", "stop": "stop_sequence", "length": "length"}


class InvocationParameters(Parameters):
    """The server's own, and two that shape the answer."""

    return_full_text: bool = Field(default=False, description="let the answer begin with its prompt")
    details: bool = Field(default=False, description="tell why the answer ended, and its number of tokens")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Invocation(BaseModel):
    """The JSON body."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    inputs: Annotated[list[str], BeforeValidator(_as_list)] = Field(min_length=1, max_length=MOST_INSTANCES)
    parameters: InvocationParameters = InvocationParameters()
    stream: bool = False

    def bodies(self) -> list[GenerateBody]:
        shared = self.parameters.model_dump(exclude_unset=True, exclude={"return_full_text", "details"})
        return [checked({"prompt": text, **shared}, GenerateBody, known=NAMES) for text in self.inputs]


NAMES = (*Invocation.model_fields, *InvocationParameters.model_fields)


class SageMakerWire:
    """One model per endpoint."""

    paths: tuple[str, ...] = (INVOCATIONS, EXECUTION)
    predictions: tuple[str, ...] = (INVOCATIONS,)

    def __init__(self, config: ServerConfig, exchange: Exchange, *, raw: RawBodies) -> None:
        """`raw`: who answers bodies that are not Hugging Face's."""
        self._raw = raw
        self._config = config
        self._exchange = exchange
        self.router = APIRouter(tags=["SageMaker"])
        self.router.add_api_route(
            INVOCATIONS,
            self.invoke,
            methods=["POST"],
            summary="One answer per input",
            response_model=None,
            responses={200: _ANSWER, **failures(*GENERATING)},
            openapi_extra=body_of(_BODIES),
        )
        self.router.add_api_route(
            EXECUTION, self.execution, methods=["GET"], summary="For batch transforms", responses=failures(401)
        )

    def refusal(self, error: ServingError) -> tuple[int, Any]:
        """As Hugging Face's containers; SageMaker hands it on inside its own ModelError."""
        status = 400 if error.status == 422 else error.status
        return status, {"error": error.message, "error_type": error.reason}

    async def execution(self) -> JSONResponse:
        """One record a request: a request of many records could hold more inputs than are allowed at once."""
        num = self._config.max_batch_size
        size = max(1, min(self._config.max_body_bytes // 1_000_000, MAX_TRANSFORM_MB // num))
        return JSONResponse({"MaxConcurrentTransforms": num, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": size})

    async def invoke(self, request: Request) -> Response:
        """Answers in the type that `Accept` names, else in the body's own."""
        if target := request.headers.get(TARGET_MODEL):
            raise InvalidRequest(
                f"{TARGET_MODEL} is {target[:60]!r}: this image serves one model, {self._config.name!r}, and no "
                "multi-model endpoint; make an endpoint for each model"
            )
        raw = await self._exchange.read_bytes(request)
        sent = media_type(request.headers.get("content-type", "")) or JSON
        other = await self._raw.answer_bytes(request, raw)
        if other is not None:
            return other
        if sent not in UNTYPED:
            return await self._answer(request, self._read(raw, sent), sent)
        value = parse_json(raw)
        return await self._raw.answer(request, value) or await self.answer_json(request, value)

    async def answer_json(self, request: Request, value: Any) -> Response:
        """The JSON of an invocation, however it came."""
        return await self._answer(request, [_one(value)], JSON)

    async def _answer(self, request: Request, invocations: list[Invocation], sent: str) -> Response:
        first = invocations[0]
        bodies = [body for invocation in invocations for body in invocation.bodies()]
        if first.stream:
            generation = await self._exchange.start(request, bodies, is_streaming=True, named="inputs")
            return EventStream(request, generation, _Narrator(first, generation.num_prompt_tokens))
        completions = await self._exchange.completions(request, bodies, named="inputs")
        parameters = [invocation.parameters for invocation in invocations for _ in invocation.inputs]
        prompts = [body.prompt for body in bodies]
        answers = [_answer(*one) for one in zip(prompts, completions, parameters, strict=True)]
        return _rendered(answers, _wanted(request.headers.get("accept", ""), sent))

    def _read(self, raw: bytes, sent: str) -> list[Invocation]:
        """One invocation, or one per line."""
        if sent in LINES:
            lines = parse_lines(raw, max_lines=self._config.max_instances)
            invocations = [checked(_line(line), Invocation, known=NAMES) for line in lines]
            if any(invocation.stream for invocation in invocations):
                raise InvalidRequest("stream is true in one line of many; send it as JSON", param="stream")
            return invocations
        if sent in (CSV, PLAIN):
            return [checked({"inputs": _texts(raw, sent)}, Invocation, known=NAMES)]
        raise UnreadableBody(f"the body is {sent!r}; send {JSON}, {LINES[0]}, {CSV} or {PLAIN}")


def _one(value: Any) -> Invocation:
    body = checked(value, Invocation, known=NAMES)
    if body.stream and len(body.inputs) > 1:
        raise InvalidRequest(f"stream is true and inputs has {len(body.inputs)} texts; stream one", param="stream")
    return body


def _line(value: object) -> object:
    return {"inputs": value} if isinstance(value, str) else value


def _texts(raw: bytes, sent: str) -> list[str]:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the body is not text in UTF-8: {error}") from None
    if sent == PLAIN:
        return [text]
    try:
        # one more than is allowed: enough to be refused, whatever follows
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = list(itertools.islice((row for row in reader if row), MOST_INSTANCES + 1))
    except csv.Error as error:
        raise MalformedBody(f"the body is not CSV: {error}") from None
    if wide := next((number for number, row in enumerate(rows, 1) if len(row) > 1), None):
        num = len(rows[wide - 1])
        raise MalformedBody(f"row {wide} of the body has {num} columns; send one, and quote a text that has commas")
    return [row[0] for row in rows]


def _answer(prompt: str, completion: Completion, parameters: InvocationParameters) -> dict[str, Any]:
    text = (prompt if parameters.return_full_text else "") + completion.text
    told: dict[str, Any] = {"generated_text": text}
    return {**told, "details": _details(completion)} if parameters.details else told


def _details(completion: Completion) -> dict[str, Any]:
    return {
        "finish_reason": REASONS[completion.finish_reason],
        "generated_tokens": completion.num_tokens,
        "input_length": completion.num_prompt_tokens,
    }


def _wanted(accept: str, sent: str) -> str:
    """The first type of the header that is known here; else the body's own."""
    for one in map(media_type, accept.split(",")):
        if one in (JSON, CSV, PLAIN, *LINES):
            return one
    return sent if sent in (CSV, PLAIN, *LINES) else JSON


def _rendered(answers: Sequence[dict[str, Any]], wanted: str) -> Response:
    texts = [answer["generated_text"] for answer in answers]
    if wanted in LINES:
        return Response(lines_of(answers), media_type=wanted)
    if wanted == CSV:
        sheet = io.StringIO()
        csv.writer(sheet, lineterminator="\n").writerows([text] for text in texts)
        return Response(sheet.getvalue(), media_type=CSV)
    if wanted == PLAIN:
        return Response("\n".join(texts), media_type=PLAIN)
    return JSONResponse(list(answers))


class _Narrator:
    """As Hugging Face's containers stream: pieces as tokens, the whole text with the last one."""

    def __init__(self, body: Invocation, num_prompt_tokens: Sequence[int]) -> None:
        self._body = body
        self._num_prompt_tokens = num_prompt_tokens

    def begin(self) -> str:
        return ""

    def event(self, index: int, event: Delta | Completion) -> str:
        if isinstance(event, Delta):
            return data({"index": index, "token": {"text": event.text}, "generated_text": None, "details": None})
        answer = _answer(self._body.inputs[index], event, self._body.parameters)
        return data({"index": index, "token": {"text": ""}, **answer, "details": _details(event)})

    def failure(self, error: ServingError) -> str:
        return data({"error": error.message, "error_type": error.reason})

    def end(self) -> str:
        return ""


_EXAMPLE = {"inputs": "Translate to German: How old are you?", "parameters": {"max_new_tokens": 32}}
# Lines of JSON and CSV are in docs/wires/sagemaker.md: OpenAPI has no schema for them.
_BODIES: dict[str, Any] = {
    JSON: {"schema": inlined(Invocation), "example": _EXAMPLE},
    PLAIN: {"schema": {"type": "string"}, "example": "Translate to German: How old are you?"},
}
_ANSWER = {
    "description": "one answer per input, in the type that Accept names; with stream: true their pieces",
    "content": {one: {} for one in (JSON, "text/event-stream", CSV, PLAIN, *LINES)},
}
