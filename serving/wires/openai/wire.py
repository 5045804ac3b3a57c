"""OpenAI's wire: `/v1/completions`, `/v1/chat/completions`, `/v1/models`. Knows no engine, no queue, no limits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from serving.chat import ChatTemplate
from serving.config import ServerConfig
from serving.errors import NotFound, ServingError
from serving.exchange.bodies import checked, while_connected
from serving.exchange.documented import GENERATING, failures, json_body
from serving.exchange.exchange import Exchange
from serving.exchange.stream import EventStream
from serving.request import PromptBody
from serving.wires.openai.answer import Chunks, Kind, refusal
from serving.wires.openai.request import ChatRequest, CompletionRequest

COMPLETIONS, CHATS, MODELS = "/v1/completions", "/v1/chat/completions", "/v1/models"


class OpenAIWire:
    """One model, by the server's name for it."""

    paths: tuple[str, ...] = ("/v1", "/v1/")
    predictions: tuple[str, ...] = (COMPLETIONS, CHATS)

    def __init__(self, config: ServerConfig, exchange: Exchange, *, template: ChatTemplate) -> None:
        self._name = config.name
        self._exchange = exchange
        self._template = template
        self._created = int(time.time())
        self.router = APIRouter(tags=["OpenAI"])
        for path, route, summary, body in (
            (COMPLETIONS, self.complete, "Texts that go on from prompts", json_body(CompletionRequest, example=_TEXT)),
            (CHATS, self.chat, "The next turn of a chat", json_body(ChatRequest, example=_CHAT)),
        ):
            self.router.add_api_route(
                path,
                route,
                methods=["POST"],
                summary=summary,
                response_model=None,
                responses={200: _ANSWER, **failures(*GENERATING, 404)},
                openapi_extra=body,
            )
        self.router.add_api_route(MODELS, self.models, methods=["GET"], summary="The model", responses=failures(401))
        self.router.add_api_route(
            MODELS + "/{model:path}", self.model, methods=["GET"], summary="One model", responses=failures(401, 404)
        )

    def refusal(self, error: ServingError) -> tuple[int, Any]:
        return refusal(error)

    async def complete(self, request: Request) -> Response:
        """Prompts as text or token ids; n answers to each."""
        return await self.answer_completion(request, await self._exchange.read_json(request))

    async def chat(self, request: Request) -> Response:
        """The template of docs/wires/openai.md makes one prompt of the messages."""
        return await self.answer_chat(request, await self._exchange.read_json(request))

    async def answer_completion(self, request: Request, value: Any) -> Response:
        body = checked(value, CompletionRequest, known=tuple(CompletionRequest.model_fields))
        self._require(body.model)
        texts = [prompt for prompt in body.prompt if isinstance(prompt, str)] if body.echo else []
        kind = Kind(body.model, body.n, is_chat=False, has_logprobs=body.logprobs is not None, prompts=texts)
        return await self._answer(request, body, body.bodies(), kind, body.logprobs)

    async def answer_chat(self, request: Request, value: Any) -> Response:
        body = checked(value, ChatRequest, known=tuple(ChatRequest.model_fields))
        self._require(body.model)
        kind = Kind(body.model, body.n, is_chat=True, has_logprobs=body.logprobs)
        return await self._answer(request, body, body.bodies(self._template), kind, body.num_logprobs)

    async def models(self) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def model(self, model: str) -> JSONResponse:
        self._require(model)
        return JSONResponse(self._card())

    async def _answer(
        self,
        request: Request,
        body: CompletionRequest | ChatRequest,
        prompts: Sequence[PromptBody],
        kind: Kind,
        num_logprobs: int | None,
    ) -> Response:
        generation = await self._exchange.start(
            request, prompts, is_streaming=body.stream, num_logprobs=num_logprobs, named="prompts times n"
        )
        if not body.stream:
            return JSONResponse(kind.answer(await while_connected(request, generation.completions())))
        chunks = Chunks(kind, num_prompt_tokens=generation.num_prompt_tokens, includes_usage=body.includes_usage)
        return EventStream(request, generation, chunks)

    def _require(self, model: str) -> None:
        if model != self._name:
            raise NotFound(
                f"the model {model[:60]!r} does not exist; this server serves {self._name!r} (MODEL_NAME)",
                param="model",
            )

    def _card(self) -> dict[str, Any]:
        return {"id": self._name, "object": "model", "created": self._created, "owned_by": "this server"}


_TEXT = {"model": "model", "prompt": "Translate to German: How old are you?", "max_tokens": 32}
_CHAT = {"model": "model", "messages": [{"role": "user", "content": "Translate to German: How old are you?"}]}
_ANSWER = {
    "description": "the answer, or with stream: true its chunks",
    "content": {"application/json": {}, "text/event-stream": {}},
}
