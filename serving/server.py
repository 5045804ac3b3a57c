"""The life of the listening process: open the port, stop on a signal, drain, say how it ended.

Knows uvicorn and signals; no model. uvicorn's own signal handling ends the process by re-raising the signal;
here SIGTERM is an ordinary end, with status 0. And uvicorn closes its port before it drains; here the port stays
open until the last accepted request has its answer, so that the health check can say 503 and a late client is told
to go elsewhere, in words.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from serving.connection import Connection, Shed

log = logging.getLogger(__name__)

# After the grace period the remaining requests get their 503; this is the time to write it.
# Twice this and a grace period of 25 s still fit the 30 s after which SageMaker kills.
LAST_WORDS_S = 2
IDLE_POLL_S = 0.02
KEEP_ALIVE_S = 65  # longer than load balancers keep an idle connection, so that it is never us who close first


class Server:
    """One run of the HTTP server.

    shed: asked first for the answer to a request; see `Connection`.
    on_stop: called once, at the first signal. is_idle: whether every accepted request has its answer.
    on_grace_over: called when they have had their time, or at a second signal. on_ended: called once, at the very end.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        shed: Shed | None,
        host: str,
        port: int,
        grace_s: float,
        on_stop: Callable[[], None],
        is_idle: Callable[[], bool],
        on_grace_over: Callable[[], None],
        on_ended: Callable[[], None],
    ) -> None:
        self._grace_s = grace_s
        self._on_stop = on_stop
        self._is_idle = is_idle
        self._on_grace_over = on_grace_over
        self._on_ended = on_ended
        self._failure: str | None = None
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=functools.partial(Connection, shed=shed),  # type: ignore[arg-type]
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=LAST_WORDS_S,
            )
        )

    @property
    def address(self) -> str:
        """Where it listens, such as http://127.0.0.1:7080; empty before it does."""
        return self._uvicorn.address

    def run(self) -> int:
        """Serves until a signal or `fail`; returns the exit status."""
        status = self._run()
        self._on_ended()
        return status

    def _run(self) -> int:
        try:
            with asyncio.Runner(loop_factory=_new_loop) as runner:
                runner.run(self._serve())
        except SystemExit:  # how uvicorn ends when the port cannot be opened; it has logged why
            return 1
        if self._failure is not None:
            log.error("ended: %s", self._failure)
            return 1
        log.info("ended")
        return 0

    def fail(self, why: str) -> None:
        """Ends the run with status 1. Safe from any thread."""
        if self._failure is None:
            self._failure = why
        self.stop()

    def stop(self) -> None:
        """Ends the run as SIGTERM does. Safe from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():  # elsewhere Python hears no signals
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self._on_signal, number)
        if self._failure is not None:  # loading failed before there was a loop to tell
            return
        await self._uvicorn.serve()

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._draining is not None:
            log.warning("%s again: accepted requests end now", name)
            self._on_grace_over()
            return
        log.info("%s: no new requests, accepted ones have %g s", name, self._grace_s)
        self._stop()

    def _stop(self) -> None:
        if self._draining is None and self._loop is not None:
            self._on_stop()
            self._draining = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        """Lets accepted requests finish, then closes the port."""
        # a server that has failed has nobody to wait for: what it accepted has ended with an error
        await self._idle_within(self._grace_s if self._failure is None else 0)
        if not self._is_idle():
            self._on_grace_over()
            await self._idle_within(LAST_WORDS_S)
        self._uvicorn.should_exit = True

    async def _idle_within(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._is_idle() and time.monotonic() < end:
            await asyncio.sleep(IDLE_POLL_S)


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, which takes less of the core for each connection; asyncio's where there is none (Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handling, and with a line that says where it listens."""

    address = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in (one for server in self.servers for one in server.sockets):
            host, port = listening.getsockname()[:2]
            self.address = f"http://{host}:{port}"
            log.info("listening on %s", self.address)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
