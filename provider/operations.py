"""Waiting for Google's long-running operations: phases told, time-outs explicit, a stop heeded.

Knows how an operation is polled and how it ends; knows nothing of what it does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from provider.api import Api, ApiError, JsonObject
from provider.failures.operation import console_of, explained
from provider.failures.screen import words_of
from provider.progress.phases import Progress, clock
from tfplugin.resource import PluginError, Stopped

FIRST_POLL_S, SLOWEST_POLL_S = 0.2, 15.0
OUTAGE_S = 600.0
PRECONDITION_S = 300.0
REASONS = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
}


class OperationFailed(PluginError):
    """The operation ended with an error. reason: google.rpc name; message: Google's own words."""

    def __init__(self, summary: str, detail: str, *, reason: str, message: str) -> None:
        super().__init__(summary, detail)
        self.reason = reason
        self.message = message


class OperationTimedOut(PluginError):
    """It still runs, but longer than the configured time-out; Google goes on with it."""


class Poll:
    """The looks of one wait: close together at first, then further apart, never past the deadline."""

    def __init__(self, timeout_s: float, stop: threading.Event) -> None:
        self._deadline = time.monotonic() + timeout_s
        self._delay = FIRST_POLL_S
        self._stop = stop
        self._lost_since: float | None = None

    def look(self, get: Callable[[], JsonObject], progress: Progress) -> JsonObject | None:
        """What is there now; None while the API is out of reach.

        Hours of work are not given up for minutes of network: the error is raised once it lasts for OUTAGE_S.
        """
        try:
            seen = get()
        except ApiError as error:
            now = time.monotonic()
            self._lost_since = self._lost_since or now
            if not error.may_pass or now - self._lost_since > OUTAGE_S:
                raise
            progress.phase("UNREACHABLE", error.summary)
            return None
        self._lost_since = None
        return seen

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._deadline

    def pause(self) -> None:
        """Raises Stopped when Terraform asks to stop."""
        if self._stop.wait(min(self._delay, max(0.0, self._deadline - time.monotonic()))):
            raise Stopped
        self._delay = min(self._delay * 1.3, SLOWEST_POLL_S)


def wait(
    api: Api, operation: JsonObject, *, timeout_s: float, progress: Progress, stop: threading.Event, region: str
) -> JsonObject:
    """The operation's response. Raises OperationFailed, OperationTimedOut, ApiError or Stopped."""
    with progress.heartbeats():
        operation = _ended(api, operation, timeout_s=timeout_s, progress=progress, stop=stop, region=region)
    if "error" in operation:
        raise explained(_failure(operation["error"]), operation, progress, api=api, stop=stop)
    _tell_stage(operation, progress)
    return response_of(operation)


def _ended(
    api: Api, operation: JsonObject, *, timeout_s: float, progress: Progress, stop: threading.Event, region: str
) -> JsonObject:
    """The operation once it is done."""
    name = operation["name"]
    poll = Poll(timeout_s, stop)
    seen: JsonObject | None = operation
    while not operation.get("done"):
        _tell_stage(seen or {}, progress)
        if poll.is_over:
            raise OperationTimedOut(
                f"{progress.resource} {progress.identifier} takes longer than {clock(timeout_s)}",
                f"Google goes on with operation {name} (now in {progress.phase_now or 'its first phase'}). "
                f"Nothing was undone. Raise the time-out in `timeouts`, and apply again.\n{console_of(name)}".rstrip(),
            )
        poll.pause()
        seen = poll.look(lambda: api.get("aiplatform", f"/v1/{name}", stop=stop, region=region), progress)
        operation = seen or operation
    return operation


def _tell_stage(operation: JsonObject, progress: Progress) -> None:
    stage = operation.get("metadata", {}).get("deploymentStage")
    if stage:
        progress.phase(stage)


def response_of(operation: JsonObject) -> JsonObject:
    """What a finished operation made."""
    return {key: value for key, value in operation.get("response", {}).items() if key != "@type"}


def _failure(error: JsonObject) -> OperationFailed:
    reason, message = REASONS.get(error.get("code", 2), "UNKNOWN"), words_of(error)
    return OperationFailed(message, "", reason=reason, message=message)


def cut_short(error: Stopped | PluginError) -> str:
    """Why a wait ended before what it waited for did, in a user's words."""
    return error.summary if isinstance(error, PluginError) else "Interrupted"


def retry_precondition(
    api: Api,
    method: str,
    path: str,
    *,
    stop: threading.Event,
    region: str,
    timeout_s: float,
    progress: Progress,
    json: JsonObject | None = None,
) -> JsonObject | None:
    """A call that Google refuses for a while after another one ended (FAILED_PRECONDITION), tried until it is taken.

    None when the resource does not exist: for a delete, that is success. A refusal that lasts is an error.
    """
    poll = Poll(min(timeout_s, PRECONDITION_S), stop)
    with progress.heartbeats():
        while True:
            try:
                return api.call("aiplatform", method, path, stop=stop, region=region, json=json)
            except ApiError as error:
                if error.status == 404:
                    return None
                if error.reason != "FAILED_PRECONDITION" or poll.is_over:
                    raise
                progress.phase("WAITING", error.message)
            poll.pause()
