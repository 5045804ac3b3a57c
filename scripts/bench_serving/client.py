"""One HTTP/1.1 request over a connection of its own, with the time at which each part of its answer arrived.

Small on purpose: client and server share the cores that are measured. Knows server-sent events and chunks; knows no
model, no load.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(slots=True)
class Reply:
    """What came back. Times are `time.perf_counter()`; `events` has one per server-sent event that carried text."""

    sent: float
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    events: list[float] = field(default_factory=list)
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        return self.ended - self.sent

    @property
    def first_s(self) -> float:
        """To the first text; an answer in one piece has all of it at its end."""
        return (self.events[0] if self.events else self.ended) - self.sent

    def json(self) -> Any:
        return json.loads(self.body)


async def post(url: str, body: object, *, headers: dict[str, str] | None = None) -> Reply:
    """Posts `body` as JSON (bytes go as they are). Raises OSError or EOFError when the connection breaks."""
    parts = urlsplit(url)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {
        "host": parts.netloc,
        "content-type": "application/json",
        "content-length": str(len(raw)),
        "connection": "close",
    } | (headers or {})
    head = f"POST {parts.path or '/'} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        reply = Reply(time.perf_counter())
        writer.write(head.encode() + raw)
        # a server may refuse before it has read everything: then its answer matters, not our writing
        sending = asyncio.ensure_future(writer.drain())
        await _read(reader, reply)
        sending.cancel()
        return reply
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, reply: Reply) -> None:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    reply.status = int(status.split(" ", 2)[1])
    reply.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines) if k}
    if "chunked" in reply.headers.get("transfer-encoding", ""):
        while size := int(await reader.readuntil(b"\r\n"), 16):
            chunk = (await reader.readexactly(size + 2))[:-2]
            reply.events += [time.perf_counter()] * chunk.count(b'"text":')
            reply.body += chunk
        await reader.readuntil(b"\r\n")
    else:
        reply.body = await reader.readexactly(int(reply.headers.get("content-length", 0)))
    reply.ended = time.perf_counter()
