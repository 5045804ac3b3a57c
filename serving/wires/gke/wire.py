"""The wire of the GKE demo: `/infer` with `config` and `?metrics=…`, and its page for prompts, `/ui`.

Translates; knows no engine, no queue. Its `/health` is in `serving.wires.health`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Self

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.config import MOST_INSTANCES
from serving.errors import ServingError
from serving.exchange.bodies import while_connected
from serving.exchange.documented import GENERATING, failures, json_body
from serving.exchange.exchange import Exchange
from serving.exchange.instances import Instance
from serving.generation import Generation
from serving.request import GenerateBody, Parameters
from serving.telemetry.timeline import Timeline

INFER, UI = "/infer", "/ui"
PAGE = Path(__file__).parent / "page"
PAGES = {UI: "index.html", UI + "/page.js": "page.js", UI + "/page.css": "page.css"}
# The page asks its own server alone, and runs nothing but its own script.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A keyword of transformers' generate, and the value that asks for what happens anyway.
NEUTRAL = {"use_cache": True}


class Config(Parameters):
    """Keywords of transformers' generate, those that this server has."""

    @model_validator(mode="before")
    @classmethod
    def _drop_what_asks_for_nothing(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        kept = {name: item for name, item in value.items() if name not in NEUTRAL or item != NEUTRAL[name]}
        if wanted := next((name for name in kept if name in NEUTRAL), None):
            raise ValueError(f"should not have {wanted} other than {NEUTRAL[wanted]}: this server does not do that")
        return kept


class InferRequest(BaseModel):
    """A prediction request of the demo; `parameters` as Vertex AI calls them, when it stands in front."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    instances: list[Instance] = Field(min_length=1, max_length=MOST_INSTANCES)
    config: Config | None = None
    parameters: Config | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.config is not None and self.parameters is not None:
            raise ValueError("should have config or parameters, not both")
        return self

    def bodies(self) -> list[GenerateBody]:
        config = self.config or self.parameters
        shared = config.model_dump(exclude_unset=True) if config else {}
        return [GenerateBody(**{**shared, **one.model_dump(exclude_unset=True)}) for one in self.instances]


NAMES = (*InferRequest.model_fields, *GenerateBody.model_fields)


class GkeWire:
    """Two routes of the demo, and the files of its page."""

    paths: tuple[str, ...] = (INFER, UI, UI + "/")
    predictions: tuple[str, ...] = (INFER,)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.router = APIRouter(tags=["GKE demo"])
        self.router.add_api_route(
            INFER,
            self.infer,
            methods=["POST"],
            summary="One prediction per instance",
            response_model=None,
            responses=failures(*GENERATING),
            openapi_extra=json_body(InferRequest, example=_EXAMPLE),
        )
        for path in PAGES:
            self.router.add_api_route(path, self.page, methods=["GET"], include_in_schema=False)

    def refusal(self, error: ServingError) -> tuple[int, Any]:
        return (400 if error.status == 422 else error.status), {"error": error.message}

    async def infer(self, request: Request, metrics: str = "") -> Response:
        """`?metrics=true`, or any other word, adds what each instance took."""
        body = await self._exchange.read(request, InferRequest, known=NAMES)
        generation = await self._exchange.start(request, body.bodies(), named="instances")
        completions = await while_connected(request, generation.completions())
        answer: dict[str, Any] = {"predictions": [completion.text for completion in completions]}
        if metrics:
            answer["metrics"] = _metrics(generation, now=time.monotonic())
        return JSONResponse(answer)

    async def page(self, request: Request) -> Response:
        """The prompt page: no third party's script, font or picture."""
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
        return FileResponse(PAGE / PAGES[request.url.path], headers=headers)


def _metrics(generation: Generation, *, now: float) -> list[dict[str, str]]:
    return [_took(timeline, begun=generation.begun, now=now) for timeline in generation.timelines]


def _took(timeline: Timeline, *, begun: float, now: float) -> dict[str, str]:
    """Reading the prompt, waiting and generating, and the way back; in milliseconds, as the demo writes them."""
    last = timeline.tokens[-1]
    spans = {"preprocess": timeline.arrived - begun, "prediction": last - timeline.arrived, "postprocess": now - last}
    return {**{name: f"{1000 * seconds:.5f}" for name, seconds in spans.items()}, "unit": "ms"}


_EXAMPLE = {"instances": ["Translate to German: How old are you?"], "config": {"max_new_tokens": 32}}
