"""Reads request bodies for every wire, and notices when a client leaves. Knows HTTP; no model, no wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from serving.errors import BodyTooLarge, ClientGone, MalformedBody, UnreadableBody
from serving.validation import invalid

LINES_PER_VALUE = 100

Body = TypeVar("Body", bound=BaseModel)
Answer = TypeVar("Answer")


async def read_bytes(request: Request, *, max_bytes: int, why: str = "MAX_BODY_BYTES") -> bytes:
    """The whole body; `why` names whose limit `max_bytes` is."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise UnreadableBody(f"the body is encoded as {encoding!r}; send it as it is (content-encoding: identity)")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise BodyTooLarge(f"the body has {declared} bytes; at most {max_bytes} are allowed ({why})")
    chunks, num_bytes = [], 0
    try:
        async for chunk in request.stream():
            num_bytes += len(chunk)
            if num_bytes > max_bytes:
                raise BodyTooLarge(f"the body has more than {max_bytes} bytes, the most allowed ({why})")
            chunks.append(chunk)
    except ClientDisconnect:
        raise ClientGone("the client closed the connection before its body had arrived") from None
    return b"".join(chunks)


def parse_json(raw: bytes) -> Any:
    """Raises `MalformedBody`."""
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None


def parse_lines(raw: bytes, *, max_lines: int) -> list[Any]:
    """One JSON value per line, empty lines left out. Raises `MalformedBody`."""
    num_breaks = raw.count(b"\n")
    if num_breaks > LINES_PER_VALUE * max_lines:  # not worth splitting: even if most of them are empty
        raise MalformedBody(f"the body has {num_breaks} line breaks; at most {max_lines} lines are allowed")
    lines = [line for line in raw.splitlines() if line.strip()]
    if not lines:
        raise MalformedBody("the body has no lines; send one JSON value per line")
    if len(lines) > max_lines:
        raise MalformedBody(f"the body has {len(lines)} lines; at most {max_lines} are allowed")
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(from_json(line, allow_inf_nan=False))
        except ValueError as error:
            raise MalformedBody(f"line {number} of the body is not JSON: {error}") from None
    return values


def checked(value: object, model: type[Body], *, known: Sequence[str]) -> Body:
    """`value` as `model`; raises the 422 that says what is wrong with it. `known` are the names it may hold."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(error, known=known) from None


async def while_connected(request: Request, work: Awaitable[Answer]) -> Answer:
    """The result of `work`; when the client leaves first, cancels it and raises `ClientGone`."""
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone("the client closed the connection before its answer was ready")
    finally:
        for open_task in (task, leaving):
            if not open_task.done():
                open_task.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
