"""Log lines as JSON objects, each with the ids of the request it belongs to. Knows no HTTP.

No prompt and no answer may reach a log: they outlive requests, and are read by others. So an exception out of a
request is written as its type and the lines it passed through, without its own text, which may quote the prompt.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import sys
import time
import traceback
from typing import Any, Literal, TextIO

from serving.telemetry.context import current

Format = Literal["json", "text"]

# how long a line may wait for others to be written with
LATEST_S = 0.01

# `json.dumps` would make an encoder for each line
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One object per line; `severity` and `message` are where Cloud Logging looks for them.

    Fields of one's own: log.info("…", extra={"fields": {"status": 200}}).
    https://cloud.google.com/logging/docs/structured-logging
    """

    def format(self, record: logging.LogRecord) -> str:
        seconds, millis = divmod(int(record.created * 1000), 1000)
        line: dict[str, Any] = {
            "time": f"{_moment(seconds)}.{millis:03}Z",
            "severity": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        context = current.get()
        if context is not None:
            line |= {"request_id": context.request_id, "trace_id": context.trace_id}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


@functools.lru_cache(maxsize=1)
def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of an event loop together, a moment later: hundreds of requests may be refused in one, and a
    write for each would take as long as their answers.

    Warnings, and lines of threads that have no loop, are written at once, after those that wait.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record) + self.terminator)
        except Exception:  # noqa: BLE001 (as logging does it: a line that cannot be made breaks nobody's work)
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING or not self._is_flushed_later():
            self.flush()

    def flush(self) -> None:
        with self.lock or contextlib.nullcontext():
            lines, self._lines = self._lines, []
            try:
                self.stream.write("".join(lines))
                super().flush()
            # standard output may be gone, or its reader
            except (OSError, ValueError) as error:
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    sys.stderr.write(f"log lines lost: {len(lines)} ({error})\n")

    def _is_flushed_later(self) -> bool:
        """Sees to it that the running loop, where there is one, flushes soon."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if len(self._lines) == 1:
            loop.call_later(LATEST_S, self.flush)
        return True


def configure(level: str, format_: Format) -> None:
    """Every logger's lines go to standard output."""
    handler = LineHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if format_ == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # serving.server tells its own life


def where(error: BaseException) -> str:
    """An exception's type and the lines it passed through, without its text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__} at\n{frames}"
