"""JSON over HTTP to one API, with Google's errors and long-running operations.

Retries what Google's provider retries (429, 503, a lost connection on a read). Knows nothing of
Terraform's states.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from localcloud.google_provider.settings import Settings
from tfplugin.resource import Context

Json = dict[str, Any]
REQUEST_TIMEOUT_S = 60.0
RETRIES = 6
FIRST_POLL_S, LONGEST_POLL_S = 0.1, 1.0


class ApiFailure(Exception):
    """The API said no. Its text is what Google's Go client prints."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"googleapi: Error {code}: {message}")
        self.code = code
        self.message = message


class Unreachable(Exception):
    """Nobody answered."""


class OperationFailed(Exception):
    """A long-running operation ended in an error."""


class OperationTimeout(Exception):
    """A long-running operation took longer than the resource's timeout."""


class Api:
    """One API at its base URL, which ends in a slash."""

    def __init__(self, base: str, *, access_token: str) -> None:
        self.base = base
        self._headers = {"Content-Type": "application/json", "User-Agent": "Terraform stand-in for hashicorp/google"}
        if access_token:
            self._headers["Authorization"] = f"Bearer {access_token}"

    @classmethod
    def of(cls, settings: Settings, endpoint: str) -> Api:
        return cls(settings.endpoint(endpoint), access_token=settings.access_token)

    def call(self, context: Context, method: str, path: str, body: Json | None = None) -> Json:
        """One call below the base URL, tried again when the API asks for it. Returns {} for an empty answer."""
        for attempt in range(RETRIES):
            try:
                return self._once(method, path, body)
            except ApiFailure as failure:
                if failure.code not in (429, 503) or attempt == RETRIES - 1:
                    raise
            except Unreachable:
                if method != "GET" or attempt >= 2:
                    raise
            context.wait(min(0.2 * 2**attempt, 5.0))
        raise Unreachable(f"{self.base}: no answer after {RETRIES} tries")

    def _once(self, method: str, path: str, body: Json | None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  only http(s) URLs pass `Settings`
            self.base + path, data=data, method=method, headers=self._headers
        )
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as answer:  # noqa: S310
                return _json(answer.read())
        except urllib.error.HTTPError as error:
            raise ApiFailure(error.code, _message(error.read(), error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                f"{method} {self.base}{path}: {error}. Is the local Google Cloud running? "
                "Start it with `python -m localcloud serve`, or `make up`."
            ) from error

    def finished(self, context: Context, reply: Json, *, timeout_s: float) -> Json:
        """Waits for the operation that a reply is, and returns its response; any other reply is its own."""
        deadline, pause = time.monotonic() + timeout_s, FIRST_POLL_S
        while is_operation(reply):
            if reply.get("done"):
                if "error" in reply:
                    error = reply["error"]
                    raise OperationFailed(f"Error code {error.get('code')}, message: {error.get('message')}")
                return dict(reply.get("response") or {})
            if time.monotonic() > deadline:
                raise OperationTimeout(f"timeout while waiting for {reply['name']} to finish (timeout: {timeout_s:g}s)")
            context.wait(pause)
            pause = min(pause * 1.5, LONGEST_POLL_S)
            reply = self.call(context, "GET", quoted(reply["name"]))
        return reply


def is_operation(reply: Json) -> bool:
    name = reply.get("name")
    return (
        isinstance(name, str) and "operations/" in name and ("done" in reply or "metadata" in reply or len(reply) == 1)
    )


def quoted(path: str) -> str:
    """A URL path from names: `@` and `:` stay, as Google writes them."""
    return urllib.parse.quote(path, safe="/:@=,")


def _json(content: bytes) -> Json:
    return dict(json.loads(content)) if content.strip() else {}


def _message(content: bytes, reason: str) -> str:
    try:
        return str(json.loads(content)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace")[:500] or reason
