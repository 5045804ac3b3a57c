"""Google's REST APIs, called with credentials, retries and errors that say what to do.

One `Api` per provider configuration; the session is made when the first call is. Knows hosts and
HTTP; knows nothing of models, endpoints or builds.
Source: facts on the wire are Google's discovery documents; retries follow google.rpc guidance
(429, 500, 502, 503, 504 with back-off; nothing else).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from provider.failures.screen import advice, words_of
from tfplugin.resource import PluginError, Stopped

JsonObject = dict[str, Any]
HOSTS = {
    "aiplatform": "https://{region}-aiplatform.googleapis.com",
    "cloudbuild": "https://cloudbuild.googleapis.com",
    "artifactregistry": "https://artifactregistry.googleapis.com",
    "storage": "https://storage.googleapis.com",
    "logging": "https://logging.googleapis.com",
    "monitoring": "https://monitoring.googleapis.com",
}
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
NOT_STARTED_STATUS = frozenset({429, 503})  # the server says it did nothing: safe for any call
MAX_TRIES = 6
FIRST_DELAY_S, MAX_DELAY_S = 0.5, 30.0
CALL_TIMEOUT_S = 60.0


class ApiError(PluginError):
    """Google refused, or did not answer. status: HTTP status (0 when no API answered); reason: google.rpc name."""

    def __init__(self, summary: str, detail: str, *, status: int, reason: str, message: str) -> None:
        super().__init__(summary, detail)
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def may_pass(self) -> bool:
        """Whether it is the network or the service that is down, rather than the request that is wrong."""
        return self.reason != "NO_JSON" and (self.status == 0 or self.status in RETRIED_STATUS)


@dataclass(frozen=True)
class Settings:
    """The provider block, as configured."""

    project: str
    region: str
    api_endpoint: str | None = None
    access_token: str | None = None


_CURES = {
    401: "The credentials have expired or are missing: run `gcloud auth application-default login`.",
    403: "The identity lacks a permission, or the API is not enabled in the project.",
}


class Api:
    """Calls with the provider's identity. Thread-safe: Terraform works on many resources at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._session: Any = None
        self._lock = threading.Lock()

    def host(self, service: str, *, region: str | None = None) -> str:
        if self.settings.api_endpoint:
            return self.settings.api_endpoint.rstrip("/")
        return HOSTS[service].format(region=region or self.settings.region)

    @property
    def scheme(self) -> str:
        return "http" if (self.settings.api_endpoint or "").startswith("http://") else "https"

    def get(self, service: str, path: str, *, stop: threading.Event, **options: Any) -> JsonObject:
        return self.call(service, "GET", path, stop=stop, **options)

    def find(self, service: str, path: str, *, stop: threading.Event, **options: Any) -> JsonObject | None:
        """GET; None when the resource does not exist. Every other refusal is an error."""
        try:
            return self.get(service, path, stop=stop, **options)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        stop: threading.Event,
        region: str | None = None,
        params: Mapping[str, str] | None = None,
        json: JsonObject | None = None,
        data: Any = None,
        content_type: str | None = None,
        is_repeatable: bool = False,
    ) -> JsonObject:
        """One call, retried where a retry is safe. Raises ApiError or Stopped.

        is_repeatable: a POST or PATCH that does no harm when it is done twice, such as a create under a chosen id.
        """
        url = f"{self.host(service, region=region)}/{quote(path.lstrip('/'), safe='/:@%~')}"
        headers = {"Content-Type": content_type} if content_type else None
        delay = FIRST_DELAY_S
        for attempt in range(1, MAX_TRIES + 1):
            error = self._try(method, url, params=params, json=json, data=data, headers=headers)
            if not isinstance(error, _Refusal):
                return error
            if attempt == MAX_TRIES or not error.may_retry(method, is_repeatable=is_repeatable):
                raise error.as_api_error(method, url)
            pause = error.retry_after_s if error.retry_after_s is not None else delay * random.uniform(0.5, 1.5)  # noqa: S311  jitter
            if stop.wait(min(pause, MAX_DELAY_S)):
                raise Stopped
            delay = min(delay * 2, MAX_DELAY_S)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _try(self, method: str, url: str, **options: Any) -> JsonObject | _Refusal:
        import requests
        from google.auth.exceptions import GoogleAuthError

        try:
            answer = self.session().request(method, url, timeout=CALL_TIMEOUT_S, **options)
        except requests.RequestException as error:
            return _Refusal(0, "UNAVAILABLE", f"{type(error).__name__}: {error}", None)
        except GoogleAuthError as error:
            raise _no_credentials(error) from error
        if not answer.ok:
            return _refusal(answer)
        try:
            return dict(answer.json()) if answer.content else {}
        except (ValueError, TypeError):  # a proxy's page, or something else that is no Google API
            return _Refusal(0, "NO_JSON", f"It answered {answer.status_code} with no JSON: {answer.text[:200]!r}", None)

    def session(self) -> Any:
        """Google's authorized session: `requests`, with the provider's identity on every call."""
        with self._lock:
            if self._session is None:
                self._session = _session(self.settings)
                # A proxy of the environment does not know this machine's loopback.
                self._session.trust_env = not _is_loopback(self.settings.api_endpoint)
            return self._session


@dataclass(frozen=True)
class _Refusal:
    status: int
    reason: str
    message: str
    retry_after_s: float | None

    def may_retry(self, method: str, *, is_repeatable: bool) -> bool:
        if self.status in NOT_STARTED_STATUS:
            return True
        is_safe = method in ("GET", "DELETE") or is_repeatable
        return is_safe and (self.status == 0 or self.status in RETRIED_STATUS)

    def as_api_error(self, method: str, url: str) -> ApiError:
        if self.status == 0:
            summary = "The API cannot be reached" if self.reason == "UNAVAILABLE" else "This is no Google API"
        else:
            summary = f"{self.reason}: {self.message.splitlines()[0] if self.message else 'no message'}"
        cure = (advice(self.reason, self.message) if self.status else "") or _CURES.get(self.status, "")
        detail = "\n".join(
            part for part in (f"{method} {url} answered {self.status or 'nothing'}.", self.message, cure) if part
        )
        return ApiError(summary, detail, status=self.status, reason=self.reason, message=self.message)


def _refusal(answer: Any) -> _Refusal:
    try:
        error = answer.json()["error"]
        reason, message = str(error.get("status", answer.reason)), words_of(error)
    except (ValueError, KeyError, TypeError, AttributeError):
        reason, message = str(answer.reason), answer.text[:500]
    header = answer.headers.get("Retry-After", "")
    return _Refusal(answer.status_code, reason, message, float(header) if header.isdigit() else None)


def _session(settings: Settings) -> Any:
    """An authorized session. Imported here: schema and validate calls must not pay for it."""
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from google.oauth2.credentials import Credentials

    if settings.access_token:  # cannot be refreshed: a 401 is the answer
        return AuthorizedSession(Credentials(settings.access_token), refresh_status_codes=())
    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
    except GoogleAuthError as error:
        raise _no_credentials(error) from error
    return AuthorizedSession(credentials)


def _no_credentials(error: Exception) -> PluginError:
    return PluginError(
        "No Google credentials",
        f"{error}\nRun `gcloud auth application-default login`, or set access_token in the provider block.",
    )


def _is_loopback(endpoint: str | None) -> bool:
    return urlsplit(endpoint or "").hostname in ("127.0.0.1", "localhost", "::1")
