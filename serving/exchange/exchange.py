"""What every wire does around its translation: read the body, hand over the prompts, wait.

Knows HTTP and the generator; knows no wire's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from serving.config import ServerConfig
from serving.errors import InvalidRequest
from serving.exchange.bodies import Body, checked, parse_json, read_bytes, while_connected
from serving.exchange.deadline import timeout_of
from serving.exchange.identity import client_of
from serving.generation import Generation, Generator
from serving.request import PromptBody
from serving.sequence import Completion


class Exchange:
    """One per server, shared by its wires."""

    def __init__(self, config: ServerConfig, generator: Generator) -> None:
        self._config = config
        self._generator = generator

    async def read_bytes(self, request: Request, *, max_bytes: int | None = None, why: str = "") -> bytes:
        """The body; `why` names whose limit `max_bytes` is."""
        if max_bytes is None or max_bytes > self._config.max_body_bytes:
            return await read_bytes(request, max_bytes=self._config.max_body_bytes)
        return await read_bytes(request, max_bytes=max_bytes, why=why)

    async def read_json(self, request: Request) -> Any:
        """The JSON value of the body."""
        return parse_json(await self.read_bytes(request))

    async def read(self, request: Request, model: type[Body], *, known: Sequence[str] | None = None) -> Body:
        """The body as `model`. `known` are the names to offer for an unknown one; absent: the model's own."""
        value = await self.read_json(request)
        return checked(value, model, known=tuple(model.model_fields) if known is None else known)

    async def start(
        self,
        request: Request,
        bodies: Sequence[PromptBody],
        *,
        is_streaming: bool = False,
        num_logprobs: int | None = None,
        timeout_s: float | None = None,
        named: str = "instances",
    ) -> Generation:
        """Accepted prompts. `timeout_s` is the wire's own limit; the client's and the server's hold as well."""
        if len(bodies) > self._config.max_instances:
            raise InvalidRequest(
                f"{named}: got {len(bodies)}, at most {self._config.max_instances} are allowed in one request",
                param=named,
            )
        limits = [seconds for seconds in (timeout_of(request), timeout_s) if seconds is not None]
        return await self._generator.submit(
            bodies,
            client=self._client(request),
            timeout_s=min(limits, default=None),
            is_streaming=is_streaming,
            num_logprobs=num_logprobs,
        )

    async def completions(
        self, request: Request, bodies: Sequence[PromptBody], *, num_logprobs: int | None = None, named: str = "prompts"
    ) -> list[Completion]:
        """One completion per prompt, in their order; ends them when the client leaves."""
        generation = await self.start(request, bodies, num_logprobs=num_logprobs, named=named)
        return await while_connected(request, generation.completions())

    def _client(self, request: Request) -> str:
        return client_of(request, header=self._config.client_header)
