"""What can go wrong between a request and its answer. Knows no HTTP framework; statuses are plain numbers.

ServingError
├── MalformedBody     400  not JSON at all
├── BodyTooLarge      413  more bytes than MAX_BODY_BYTES
├── UnreadableBody    415  an encoding that this server does not undo
├── InvalidRequest    422  JSON, but the client has to change something in it
├── ClientGone        499  nobody is left to answer (never sent, only counted)
├── Overloaded        429  try again later: the queue is full
├── EngineFailed      500  our fault; the batch was dropped
├── NotReady          503  weights still load, or the server is going away
└── DeadlineExceeded  504  accepted, but not finished in time
"""

from __future__ import annotations

from typing import Any, ClassVar


class ServingError(Exception):
    """A refusal or failure that the client is told about, once."""

    status: ClassVar[int] = 500
    reason: ClassVar[str] = "internal"

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer; `code` and `message` stand where Google's own errors have them."""
        return {"error": {"code": self.status, "reason": self.reason, "message": self.message}}


class MalformedBody(ServingError):
    status, reason = 400, "malformed_body"


class BodyTooLarge(ServingError):
    status, reason = 413, "body_too_large"


class UnreadableBody(ServingError):
    status, reason = 415, "unreadable_body"


class InvalidRequest(ServingError):
    status, reason = 422, "invalid_request"


class ClientGone(ServingError):
    status, reason = 499, "client_gone"


class Overloaded(ServingError):
    status, reason = 429, "overloaded"


class EngineFailed(ServingError):
    status, reason = 500, "engine_failed"


class NotReady(ServingError):
    status, reason = 503, "not_ready"


class DeadlineExceeded(ServingError):
    status, reason = 504, "deadline_exceeded"
