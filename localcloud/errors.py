"""What the local cloud answers when it refuses, in Google's own shape.

Every handler raises `ApiError`; the app renders it once as
`{"error": {"code", "message", "status", "details"}}`. Knows nothing of HTTP frameworks or storage.
Source: google.rpc.Code and its HTTP mapping (googleapis/google/rpc/code.proto).
"""

from __future__ import annotations

from typing import Any

# google.rpc.Code name -> (number in an operation's error, HTTP status)
CODES: dict[str, tuple[int, int]] = {
    "CANCELLED": (1, 499),
    "UNKNOWN": (2, 500),
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "UNAUTHENTICATED": (16, 401),
}


class ApiError(Exception):
    """A refusal with a google.rpc code, raised by any handler or operation."""

    def __init__(self, status: str, message: str, *, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details or []

    @property
    def http_status(self) -> int:
        return CODES[self.status][1]

    def as_http_body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.http_status, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}

    def as_operation_error(self) -> dict[str, Any]:
        """The `error` field of a failed operation: google.rpc.Status, with the numeric code."""
        error: dict[str, Any] = {"code": CODES[self.status][0], "message": self.message}
        if self.details:
            error["details"] = self.details
        return error


def not_found(name: str) -> ApiError:
    return ApiError("NOT_FOUND", f"The resource '{name}' was not found.")


def invalid(message: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", message)
