"""Who the page is to Google Cloud: headers with a fresh access token of the service's own account.

Application default credentials: the metadata server on Cloud Run (and in the local cloud), a service account's key
or a developer's login elsewhere. Knows no endpoint and no page.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Protocol

from ui.errors import NoIdentity

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


class Identity(Protocol):
    async def headers(self) -> dict[str, str]:
        """Headers that prove who asks; raises `NoIdentity`."""

    def forget(self) -> None:
        """The last token was refused: the next `headers` takes a new one."""


class DefaultIdentity:
    """Google's application default credentials, looked up when first needed and refreshed before they expire."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._is_refused = False

    async def headers(self) -> dict[str, str]:
        # off the event loop: looking up and refreshing are blocking requests
        return await asyncio.to_thread(self._headers)

    def forget(self) -> None:
        self._is_refused = True

    def _headers(self) -> dict[str, str]:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request

        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials, _ = google.auth.default(scopes=SCOPES)
                if self._is_refused or not self._credentials.valid:
                    self._credentials.refresh(Request())
                    self._is_refused = False
            except GoogleAuthError as error:
                raise NoIdentity(
                    "This page has no Google credentials to ask the endpoint with. On Cloud Run they come from the "
                    "service account; elsewhere run `gcloud auth application-default login`. "
                    f"It says: {' '.join(str(error).split())[:300]}"
                ) from error
            headers: dict[str, str] = {}
            # `apply`, not the bare token: it adds the quota project of a developer's login
            self._credentials.apply(headers)
            return headers
