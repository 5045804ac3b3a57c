"""Log lines as JSON objects, each with the ids of the request it belongs to. Knows no HTTP.

No prompt and no answer may reach a log: they outlive requests, and are read by others. So an exception out of a
request is written as its type and the lines it passed through, without its own text, which may quote the prompt.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any, Literal

from serving.telemetry.context import current

Format = Literal["json", "text"]

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One object per line; `severity` and `message` are where Cloud Logging looks for them.

    Fields of one's own: log.info("…", extra={"fields": {"status": 200}}).
    https://cloud.google.com/logging/docs/structured-logging
    """

    def format(self, record: logging.LogRecord) -> str:
        seconds, millis = divmod(int(record.created * 1000), 1000)
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{millis:03}Z",
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
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str, format_: Format) -> None:
    """Every logger's lines go to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if format_ == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # serving.server tells its own life


def where(error: BaseException) -> str:
    """An exception's type and the lines it passed through, without its text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__} at\n{frames}"
