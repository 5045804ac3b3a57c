"""What can go wrong between a request and its answer. Knows no HTTP framework; statuses are plain numbers.

ServingError
├── MalformedBody     400  not JSON at all
├── Unauthorized      401  no key, or none that is known
├── NotFound          404  no such model, or no such path
├── NotAllowed        405  a path that is there for reading alone, or for another method
├── BodyTooLarge      413  more bytes than MAX_BODY_BYTES
├── UnreadableBody    415  an encoding or a media type that this server does not read
├── InvalidRequest    422  JSON, but the client has to change something in it
├── Overloaded        429  try again later: the queue is full
├── QuotaExceeded     429  try again later: this client has had its share
├── ClientGone        499  nobody is left to answer (never sent, only counted)
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

    def __init__(self, message: str, *, retry_after_s: int | None = None, param: str | None = None) -> None:
        """`param` names what in the body is wrong, where it is one thing."""
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.param = param

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer; `code` and `message` stand where Google's own errors have them.

        Other wires have their own shapes, and make them of `message`, `status` and `param`.
        """
        return {"error": {"code": self.status, "reason": self.reason, "message": self.message}}


class MalformedBody(ServingError):
    status, reason = 400, "malformed_body"


class Unauthorized(ServingError):
    status, reason = 401, "unauthorized"


class NotFound(ServingError):
    status, reason = 404, "not_found"


class NotAllowed(ServingError):
    status, reason = 405, "not_allowed"


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


class QuotaExceeded(ServingError):
    status, reason = 429, "quota_exceeded"


class EngineFailed(ServingError):
    status, reason = 500, "engine_failed"


class NotReady(ServingError):
    status, reason = 503, "not_ready"


class DeadlineExceeded(ServingError):
    status, reason = 504, "deadline_exceeded"
