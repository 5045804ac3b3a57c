"""What is kept of every prediction: its count, its log line, its trace. Knows metrics and traces; knows no ASGI."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from starlette.routing import compile_path

from serving.telemetry.context import RequestContext
from serving.telemetry.metrics import ServerMetrics
from serving.telemetry.tracing import Tracing

log = logging.getLogger(__name__)


class Journal:
    """One per server. Each `begin` is followed by one `end`."""

    def __init__(self, routes: Sequence[str], *, metrics: ServerMetrics, tracing: Tracing | None) -> None:
        """`routes` are path templates, such as /predictions/{model}: a log line names them, not what a client wrote."""
        self._routes = [(compile_path(route)[0], route) for route in routes]
        self._metrics = metrics
        self._tracing = tracing

    def route_of(self, path: str) -> str | None:
        """The template that `path` is of; None where no predictions are asked for."""
        return next((template for pattern, template in self._routes if pattern.match(path)), None)

    def begin(self) -> float:
        """A prediction arrived. Returns the moment, for `end`."""
        self._metrics.begin()
        return time.monotonic()

    def end(self, context: RequestContext, what: str, *, started: float, status: int, failure: str | None) -> None:
        """It has its answer. what: method and route. failure: a reason of `serving.errors`; None when it succeeded.

        `context` has to be the current one: log lines and traces are made for that.
        """
        seconds = time.monotonic() - started
        self._metrics.end(failure=failure, seconds=seconds)
        outcome = failure or "ok"
        log.info(
            "%s -> %d %s in %.3f s",
            what,
            status,
            outcome,
            seconds,
            extra={"fields": {"status": status, "outcome": outcome, "seconds": round(seconds, 4)}},
        )
        if self._tracing is not None:
            self._tracing.record(context, what, started=started, status=status, failure=failure)
