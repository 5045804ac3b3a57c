"""Which request the code works for right now, for logs and traces. Knows no HTTP framework.

W3C Trace Context: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass, field

from serving.telemetry.timeline import Timeline

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1
# names, not secrets: the system's own randomness would be a call of the kernel for each
_draw = random.Random()  # noqa: S311


@dataclass(frozen=True, slots=True)
class Work:
    """What one sequence cost its request."""

    timeline: Timeline
    num_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Names of one request, and what it has cost so far.

    parent_span_id: of the caller's span, when it sent one. is_sampled: whether the caller records this trace; None
    when it did not say.
    """

    request_id: str
    trace_id: str
    parent_span_id: str | None = None
    is_sampled: bool | None = None
    works: list[Work] = field(default_factory=list)


current: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def read(request_id: str | None, traceparent: str | None) -> RequestContext:
    """The context that a client's headers ask for; what is absent or malformed is made anew."""
    if request_id is None or not _REQUEST_ID.fullmatch(request_id):
        request_id = _new_id()
    found = _TRACEPARENT.fullmatch((traceparent or "").strip())
    if found is None:
        return RequestContext(request_id, _new_id())
    trace_id, span_id, flags, _ = found.groups()
    return RequestContext(request_id, trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def _new_id() -> str:
    return f"{_draw.getrandbits(128):032x}"
