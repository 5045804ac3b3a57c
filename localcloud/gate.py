"""What every request passes first: the journal, and the faults that were asked for.

Knows nothing of any API behind it.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcloud.cloud import LocalCloud
from localcloud.faults import Fault

# Never written down and never disturbed: our own control, and the metadata server that containers poll.
UNSEEN = ("/localcloud/", "/computeMetadata/", "/as/")
_ABSOLUTE_FORM = re.compile(r"^https?://[^/]+")


class Gate:
    """ASGI application around the real one."""

    def __init__(self, app: ASGIApp, cloud: LocalCloud) -> None:
        self._app = app
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A client that takes us for its proxy (the only way that `gcloud run` gets here) sends whole URLs.
        scope["path"] = _ABSOLUTE_FORM.sub("", scope["path"])
        if scope["path"].startswith(UNSEEN):
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def watched_send(message: Message) -> None:
            nonlocal status
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]

        try:
            await self._disturbed(scope, receive, watched_send, connection=send)
        finally:
            self._cloud.journal.add(
                scope["method"],
                scope["path"],
                query=scope["query_string"].decode(errors="replace"),
                status=status,
                seconds=time.monotonic() - began,
            )

    async def _disturbed(self, scope: Scope, receive: Receive, send: Send, *, connection: Send) -> None:
        fault = self._cloud.faults.due_for_request(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.effect.delay_s)
        while self._cloud.faults.is_held(fault) and not self._cloud.operations.stopping.is_set():
            await asyncio.sleep(0.05)
        if fault.effect.drop is not None:
            if fault.effect.drop == "after":
                await self._app(scope, receive, _nowhere)
            await _abort(connection)
        elif (error := fault.effect.error()) is not None:
            await _answer(send, error.http_status, error.as_http_body(), fault)
        else:
            await self._app(scope, receive, send)


async def _nowhere(_: Message) -> None:
    """The answer that the client never gets."""


async def _answer(send: Send, status: int, body: dict[str, Any], fault: Fault) -> None:
    headers = [(b"content-type", b"application/json; charset=UTF-8")]
    if fault.effect.retry_after_s is not None:
        headers.append((b"retry-after", str(fault.effect.retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def _abort(send: Send) -> None:
    """Closes the connection without an answer. ASGI has no word for it, so uvicorn's own transport is asked."""
    cycle: Any = getattr(send, "__self__", None)
    if cycle is None or not hasattr(cycle, "transport"):
        raise RuntimeError("This server's send is not uvicorn's RequestResponseCycle.send: cannot drop a connection")
    cycle.transport.abort()
    while not cycle.disconnected:  # else uvicorn takes our silence for a fault of the app, and logs it
        await asyncio.sleep(0.005)
