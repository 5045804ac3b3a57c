"""Which wire a body is for that came on a cloud's own route: rawPredict and `/invocations` hand on any body.

Knows HTTP; what marks a body as whose is given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from serving.exchange.refusals import Wire


@dataclass(frozen=True, slots=True)
class Raw:
    """How a wire takes such bodies. `owns`: whether a JSON object is one of its own.

    reads: whether a media type is one of its own, whose bodies are no JSON and go to `answer_bytes`.
    """

    wire: Wire
    owns: Callable[[dict[str, Any]], bool]
    answer: Callable[[Request, Any], Awaitable[Response]]
    reads: Callable[[str], bool] = lambda content_type: False
    answer_bytes: Callable[[Request, bytes], Awaitable[Response]] | None = None


class RawBodies:
    """The first wire that owns a body answers it, and words its refusals."""

    def __init__(self, wires: Sequence[Raw]) -> None:
        self._wires = tuple(wires)

    async def answer_bytes(self, request: Request, raw: bytes) -> Response | None:
        """The answer to a body that is no JSON; None when it is nobody's."""
        content_type = request.headers.get("content-type", "")
        for one in self._wires:
            if one.answer_bytes is not None and one.reads(content_type):
                request.state.wire = one.wire
                return await one.answer_bytes(request, raw)
        return None

    async def answer(self, request: Request, value: Any) -> Response | None:
        """The answer to the JSON of a body; None when it is nobody's."""
        for one in self._wires:
            if isinstance(value, dict) and one.owns(value):
                request.state.wire = one.wire
                return await one.answer(request, value)
        return None
