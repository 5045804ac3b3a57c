"""The wire of KServe v2 and Triton: the Open Inference Protocol, its binary tensors and its generate extension.

The server's model takes texts under its own name, and token ids under the name `fastertransformer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from serving.config import ServerConfig
from serving.errors import InvalidRequest, NotAllowed, NotFound, ServingError
from serving.exchange.bodies import while_connected
from serving.exchange.documented import GENERATING, Documented, failures, json_body
from serving.exchange.exchange import Exchange
from serving.exchange.stream import EventStream, data
from serving.lifecycle import Lifecycle
from serving.request import PromptBody
from serving.sequence import Completion, Delta
from serving.wires.kserve import models
from serving.wires.kserve.messages import InferMessage, InferRequest, answer, read_message, read_request
from serving.wires.kserve.models import FASTERTRANSFORMER, TEXT, TEXT_INPUT, TEXT_OUTPUT, TOKENS, Signature

ROOT, MODEL = "/v2", "/v2/models/{model}"
VERSION = "1"
EXTENSIONS = ("binary_tensor_data", "generate", "model_configuration", "model_repository")
LIVE, READY = "/v2/health/live", "/v2/health/ready"
BOTH = (MODEL, MODEL + "/versions/{version}")


class KServeWire:
    """Two names for one model."""

    paths: tuple[str, ...] = (ROOT, ROOT + "/")
    predictions: tuple[str, ...] = tuple(
        f"{path}/{verb}" for path in BOTH for verb in ("infer", "generate", "generate_stream")
    )

    def __init__(self, config: ServerConfig, exchange: Exchange, lifecycle: Lifecycle) -> None:
        self._config = config
        self._exchange = exchange
        self._lifecycle = lifecycle
        self.signatures = {config.name: TEXT, FASTERTRANSFORMER: TOKENS}
        self.router = APIRouter(tags=["KServe v2 and Triton"])
        self._add_reading()
        self._add_predicting()

    def _add_reading(self) -> None:
        def add(path: str, route: Any, summary: str, responses: Documented) -> None:
            self.router.add_api_route(path, route, methods=["GET"], summary=summary, responses=responses)

        add(ROOT, self.server, "The server", failures(401))
        add(LIVE, self.live, "Is it alive?", {})
        add(READY, self.ready, "Is it ready?", failures(503))
        for path in BOTH:
            add(path, self.metadata, "The tensors of a model", failures(401, 404))
            add(path + "/ready", self.model_ready, "Is a model ready?", failures(401, 404, 503))
            add(path + "/config", self.configuration, "A model as Triton describes it", failures(401, 404))
        self.router.add_api_route(
            "/v2/repository/index", self.index, methods=["POST"], summary="The models", responses=failures(401)
        )
        for verb in ("load", "unload"):
            path = f"/v2/repository/models/{{model}}/{verb}"
            self.router.add_api_route(path, self.refuse, methods=["POST"], include_in_schema=False)

    def _add_predicting(self) -> None:
        infer = json_body(InferMessage, example=_INFER)
        generate = {"requestBody": {"required": True, "content": {"application/json": {"example": _GENERATE}}}}
        for path in BOTH:
            for verb, route, body, kinds in (
                ("infer", self.infer, infer, ("application/json", "application/octet-stream")),
                ("generate", self.generate, generate, ("application/json",)),
                ("generate_stream", self.generate_stream, generate, ("text/event-stream",)),
            ):
                told = {"description": "the answer", "content": {kind: {} for kind in kinds}}
                self.router.add_api_route(
                    f"{path}/{verb}",
                    route,
                    methods=["POST"],
                    summary={"infer": "Tensors", "generate": "A text", "generate_stream": "A text in pieces"}[verb],
                    response_model=None,
                    responses={200: told, **failures(*GENERATING, 404)},
                    openapi_extra=body,
                )

    def refusal(self, error: ServingError) -> tuple[int, Any]:
        message = error.message.replace("num_beams", "beam_width")
        return (400 if error.status == 422 else error.status), {"error": message}

    async def server(self) -> JSONResponse:
        return JSONResponse({"name": "flan-t5-server", "version": "1", "extensions": list(EXTENSIONS)})

    async def live(self) -> JSONResponse:
        return JSONResponse({"live": True})

    async def ready(self) -> JSONResponse:
        is_ready = self._lifecycle.is_healthy
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    async def metadata(self, model: str, version: str = VERSION) -> JSONResponse:
        signature = self._signature(model, version)
        tensors = {
            kind: [{"name": name, "datatype": datatype, "shape": list(shape)} for name, datatype, shape in told]
            for kind, told in (("inputs", signature.inputs), ("outputs", signature.outputs))
        }
        return JSONResponse({"name": model, "versions": [VERSION], "platform": signature.platform, **tensors})

    async def model_ready(self, model: str, version: str = VERSION) -> JSONResponse:
        self._signature(model, version)
        is_ready = self._lifecycle.is_healthy
        return JSONResponse({"name": model, "ready": is_ready}, 200 if is_ready else 503)

    async def configuration(self, model: str, version: str = VERSION) -> JSONResponse:
        signature = self._signature(model, version)
        told: dict[str, Any] = {
            kind: [{"name": name, "data_type": _triton_type(one), "dims": shape[1:]} for name, one, shape in tensors]
            for kind, tensors in (("input", signature.inputs), ("output", signature.outputs))
        }
        most = self._config.max_instances
        return JSONResponse({"name": model, "platform": signature.platform, "max_batch_size": most, **told})

    async def index(self) -> JSONResponse:
        state = "READY" if self._lifecycle.is_healthy else "LOADING"
        told = {"version": VERSION, "state": state, "reason": ""}
        return JSONResponse([{"name": name, **told} for name in self.signatures])

    async def refuse(self, request: Request) -> Response:
        raise NotAllowed(
            f"{request.method} {request.url.path}: models are not loaded or unloaded here; start a server for each"
        )

    async def infer(self, request: Request, model: str, version: str = VERSION) -> Response:
        """Texts (`text_input`) of the model, or token ids of `fastertransformer`; tensors in JSON or behind it."""
        self._signature(model, version)
        raw = await self._exchange.read_bytes(request)
        return await self._infer(request, read_request(raw, request.headers), model)

    async def answer_bytes(self, request: Request, raw: bytes) -> Response:
        """An inference request that came another way, with bytes behind its JSON."""
        return await self._infer(request, read_request(raw, request.headers))

    async def answer_message(self, request: Request, value: Any) -> Response:
        """The JSON of an inference request that came another way."""
        return await self._infer(request, read_message(value))

    async def _infer(self, request: Request, asked: InferRequest, model: str = "") -> Response:
        model = model or (FASTERTRANSFORMER if TEXT_INPUT not in asked.inputs else self._config.name)
        is_text = self.signatures[model] is TEXT
        timeout = models.timeout_s(asked.parameters)
        bodies: Sequence[PromptBody]
        if is_text:
            bodies = models.text_bodies(asked.inputs, asked.parameters)
        else:
            if unknown := next(iter(models.parameters_of(asked.parameters)), None):
                raise InvalidRequest(f"parameter {unknown[:60]!r} is not known to {model}; send it as an input tensor")
            bodies = models.token_bodies(asked.inputs)
        generation = await self._exchange.start(request, bodies, timeout_s=timeout, named="rows")
        completions = await while_connected(request, generation.completions())
        outputs = models.text_outputs(completions) if is_text else models.token_outputs(completions)
        return answer(asked, outputs, model=model, version=VERSION)

    async def generate(self, request: Request, model: str, version: str = VERSION) -> Response:
        """One text, `{"text_input", "parameters"}` or with the parameters beside it."""
        (body,), head, timeout = await self._read_generate(request, model, version)
        generation = await self._exchange.start(request, [body], timeout_s=timeout)
        (completion,) = await while_connected(request, generation.completions())
        return JSONResponse({**head, TEXT_OUTPUT: completion.text, "finish_reason": completion.finish_reason})

    async def generate_stream(self, request: Request, model: str, version: str = VERSION) -> Response:
        """As generate, in server-sent events."""
        bodies, head, timeout = await self._read_generate(request, model, version)
        generation = await self._exchange.start(request, bodies, is_streaming=True, timeout_s=timeout)
        return EventStream(request, generation, _Narrator(head))

    async def _read_generate(
        self, request: Request, model: str, version: str
    ) -> tuple[list[PromptBody], dict[str, Any], float | None]:
        if self._signature(model, version) is not TEXT:
            raise InvalidRequest(f"{model} reads token ids; send a text to the model {self._config.name!r}")
        value = await self._exchange.read_json(request)
        if not isinstance(value, dict):
            raise InvalidRequest('the body should be an object, such as {"text_input": "…"}')
        nested = value.get("parameters") or {}
        if not isinstance(nested, dict):
            raise InvalidRequest("parameters should be an object", param="parameters")
        if TEXT_INPUT not in value:
            raise InvalidRequest(f"{TEXT_INPUT} is missing", param=TEXT_INPUT)
        told = {name: item for name, item in value.items() if name not in (TEXT_INPUT, "parameters", "id")} | nested
        head = {"model_name": model, "model_version": VERSION}
        if isinstance(value.get("id"), str):
            head["id"] = value["id"][:256]
        return [models.text_body(value[TEXT_INPUT], told)], head, models.timeout_s(told)

    def _signature(self, model: str, version: str) -> Signature:
        if model not in self.signatures:
            names = ", ".join(self.signatures)
            raise NotFound(f"Request for unknown model: {model[:60]!r} is not found; known are {names}", param="model")
        if version != VERSION:
            found = f"version {version[:60]} is not found; known is {VERSION}"
            raise NotFound(f"Request for unknown model: {model!r} {found}")
        return self.signatures[model]


def _triton_type(datatype: str) -> str:
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"


class _Narrator:
    """A piece of text per event; the last one says why it ended."""

    def __init__(self, head: dict[str, Any]) -> None:
        self._head = head

    def begin(self) -> str:
        return ""

    def event(self, index: int, event: Delta | Completion) -> str:
        if isinstance(event, Delta):
            return data({**self._head, TEXT_OUTPUT: event.text})
        return data({**self._head, TEXT_OUTPUT: "", "finish_reason": event.finish_reason})

    def failure(self, error: ServingError) -> str:
        return data({"error": error.message})

    def end(self) -> str:
        return ""


_TEXT = "Translate to German: How old are you?"
_GENERATE = {TEXT_INPUT: _TEXT, "parameters": {"max_tokens": 32, "temperature": 0}}
_INFER = {"inputs": [{"name": TEXT_INPUT, "datatype": "BYTES", "shape": [1], "data": [_TEXT]}]}
