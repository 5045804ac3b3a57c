"""Asks the endpoint for one prediction: returns its text or raises one `EndpointError`.

Retries what is worth retrying (busy, not ready, no connection), a bounded number of times within a bounded time.
Knows HTTP and Vertex AI's bodies; knows no page.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from ui.errors import Busy, EndpointError, NoIdentity, NotReady, TimedOut, Unreachable
from ui.identity import Identity
from ui.wire import prediction, refusal, request_body

CONNECT_TIMEOUT_S = 10.0
MAX_CONNECTIONS = 64

OnRetry = Callable[[EndpointError, float], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try. A Retry-After beyond `max_wait_s` is not waited for but told to the reader."""

    max_attempts: int = 4
    first_wait_s: float = 1.0
    max_wait_s: float = 10.0

    def wait_s(self, attempt: int, error: EndpointError) -> float | None:
        """Seconds to wait after the failed `attempt` (1 is the first), None to give up."""
        if attempt >= self.max_attempts or not isinstance(error, Busy | NotReady | Unreachable):
            return None
        wait_s = error.retry_after_s
        if wait_s is None:
            # jitter, so that pages that failed together do not come back together
            wait_s = min(self.max_wait_s, self.first_wait_s * 2 ** (attempt - 1)) * random.uniform(0.5, 1)  # noqa: S311
        return wait_s if wait_s <= self.max_wait_s else None


class EndpointClient:
    """One per page. Cancelling a `predict` closes its connection, and so ends the work on the server."""

    def __init__(
        self,
        predict_url: str,
        *,
        endpoint: str,
        identity: Identity,
        timeout_s: float = 150.0,
        patience: Patience | None = None,
    ) -> None:
        self._url = predict_url
        self._endpoint = endpoint
        self._identity = identity
        self._timeout_s = timeout_s
        self._patience = patience or Patience()
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def predict(
        self, text: str, parameters: Mapping[str, Any], *, on_retry: OnRetry = lambda error, wait_s: None
    ) -> str:
        """The model's text for a prompt. `on_retry` hears of each failed attempt and the seconds until the next."""
        body = request_body(text, parameters)
        is_token_renewed = False
        attempt = 1
        while True:
            try:
                return await self._attempt(body)
            except NoIdentity:
                # a token can be revoked before its time: one new token, once
                if is_token_renewed:
                    raise
                is_token_renewed = True
                self._identity.forget()
            except EndpointError as error:
                wait_s = self._patience.wait_s(attempt, error)
                if wait_s is None:
                    raise
                attempt += 1
                on_retry(error, wait_s)
                await asyncio.sleep(wait_s)

    async def _attempt(self, body: dict[str, Any]) -> str:
        headers = await self._identity.headers()
        try:
            # httpx bounds each read alone; a server that trickles would never end
            async with asyncio.timeout(self._timeout_s):
                answer = await self._http.post(self._url, json=body, headers=headers)
        except httpx.PoolTimeout:
            raise Busy(f"This page already waits for {MAX_CONNECTIONS} answers. Try again in a minute.") from None
        except httpx.ConnectTimeout as error:
            raise self._unreachable(error) from error
        except (TimeoutError, httpx.TimeoutException):
            raise TimedOut(
                f"No answer came within {self._timeout_s:g} s. Ask for fewer new tokens, or try again."
            ) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.status_code == 200:
            return prediction(answer.content)
        raise refusal(answer.status_code, answer.content, answer.headers, endpoint=self._endpoint)

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        return Unreachable(
            f"The endpoint's server {urlsplit(self._url).netloc} cannot be reached: {_reason(error)}. "
            "It may be starting, or have been taken down; try again in a while."
        )


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "it does not answer the connection"
    if isinstance(error, httpx.ConnectError):
        # the operating system's words, without httpx's wrapping: "[Errno 111] Connection refused"
        return str(error).partition("] ")[2] or str(error) or "no connection"
    return "the connection broke before the answer came"
