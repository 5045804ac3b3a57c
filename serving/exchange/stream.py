"""An answer as server-sent events, for any wire. Knows HTTP and generations; the wire's words are given.

A client that leaves ends its sequences; an error after the first byte is the stream's last event.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from serving.errors import ClientGone, ServingError
from serving.generation import Generation
from serving.sequence import Completion, Delta

DONE = "data: [DONE]\n\n"


class Narrator(Protocol):
    """Tells one generation in a wire's own events. May keep a state: it belongs to one stream."""

    def begin(self) -> str: ...

    def event(self, index: int, event: Delta | Completion) -> str: ...

    def failure(self, error: ServingError) -> str: ...

    def end(self) -> str: ...


class EventStream(StreamingResponse):
    """`begin`, an `event` per delta and completion, then `end`, or `failure`."""

    def __init__(
        self,
        request: Request,
        generation: Generation,
        narrator: Narrator,
        *,
        explained: Callable[[ServingError], ServingError] = lambda error: error,
    ) -> None:
        super().__init__(self._lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._state = request.state
        self._generation = generation
        self._narrator = narrator
        self._explained = explained
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
        if beginning := self._narrator.begin():
            yield beginning
        try:
            async with aclosing(self._generation.batches()) as batches:
                async for batch in batches:
                    yield "".join(self._narrator.event(index, event) for index, event in batch)
        except ServingError as error:
            # the status line is long gone: the error is the last event
            self._state.failure = error.reason
            self._is_told = True
            yield self._narrator.failure(self._explained(error))
            return
        self._is_told = True
        if end := self._narrator.end():
            yield end


def data(value: Any, *, event: str = "") -> str:
    """One server-sent event that holds `value` as JSON."""
    kind = f"event: {event}\n" if event else ""
    return f"{kind}data: {json.dumps(value, ensure_ascii=False)}\n\n"
