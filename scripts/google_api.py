"""A deployment's cloud, asked over plain HTTP: Google's own addresses, or the one that the deployment file names.

Reads only, and says apart what was refused, what is not there, and what could not be asked at all. Google's client
libraries take 1.5 s to import, which the doctor does not have. Knows paths and credentials, and no resource.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from cdk.config import Google

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT_S = 5.0
NUM_TRIES = 2
RETRIED = {429, 500, 502, 503, 504}
MAX_PAGES = 200
Document = dict[str, Any]


class GoogleApiError(Exception):
    """No answer that can be used.

    GoogleApiError
    ├── NoCredentials   nothing to ask with
    ├── Unreachable     no connection, no answer in time, or a failure on the other side
    └── Refused         an answer, and it is no: `status` is HTTP's
        └── NotThere    404
    """


class NoCredentials(GoogleApiError):
    """Nothing to ask with; the message says what was looked for."""


class Unreachable(GoogleApiError):
    """Whether the thing is there is not known."""


class Refused(GoogleApiError):
    """The service answered, and it is no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotThere(Refused):
    """404."""


@dataclass
class GoogleApi:
    """Thread-safe. One per deployment; an answer that was had is kept, so that checks do not ask twice."""

    google: Google
    timeout_s: float = TIMEOUT_S
    _answers: dict[str, Document] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _token: str | None = None

    def __post_init__(self) -> None:
        # A cloud on this machine is never behind the proxy that the network's way out may need.
        own = self.google.api_endpoint is None
        self._http = httpx.Client(timeout=self.timeout_s, trust_env=own, follow_redirects=False)

    @property
    def is_local(self) -> bool:
        """Whether it is a stand-in on this machine."""
        return urlsplit(self.google.api_endpoint or "").hostname in ("127.0.0.1", "localhost", "::1")

    @property
    def parent(self) -> str:
        return f"projects/{self.google.project}/locations/{self.google.region}"

    def address(self, service: str, path: str) -> str:
        """Where a service's path is; Vertex AI's hosts are regional."""
        if self.google.api_endpoint:
            return self.google.api_endpoint.rstrip("/") + path
        host = f"{self.google.region}-aiplatform" if service == "aiplatform" else service
        return f"https://{host}.googleapis.com{path}"

    def get(self, service: str, path: str, **query: str | list[str]) -> Document:
        """The document at a path. GoogleApiError when there is none to be had."""
        address = str(httpx.URL(self.address(service, path), params=query))
        with self._lock:
            if address in self._answers:
                return self._answers[address]
        document = self._send("GET", address)
        with self._lock:
            self._answers[address] = document
        return document

    def items(self, service: str, path: str, key: str, **query: str) -> Iterator[Document]:
        """Every item of a list, over all its pages."""
        token = ""
        for _ in range(MAX_PAGES):
            page = self.get(service, path, **query, **({"pageToken": token} if token else {}))
            yield from page.get(key, [])
            token = page.get("nextPageToken", "")
            if not token:
                return
        raise Unreachable(f"{path} has more than {MAX_PAGES} pages; the rest was not read")

    def project_policy(self) -> Document:
        """Who may do what in the project: a question that Google wants as a POST."""
        address = self.address("cloudresourcemanager", f"/v1/projects/{self.google.project}:getIamPolicy")
        return self._send("POST", address, body={})

    def close(self) -> None:
        self._http.close()

    def _send(self, method: str, address: str, *, body: Document | None = None) -> Document:
        """Tries once more after a failure on the other side: a list that misses one answer is of no use."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        problem = ""
        for _ in range(NUM_TRIES):
            try:
                answer = self._http.request(method, address, json=body, headers=headers)
            except httpx.HTTPError as error:
                problem = f"{urlsplit(address).netloc} does not answer: {error or type(error).__name__}"
                continue
            if answer.status_code not in RETRIED:
                return _document(answer)
            problem = f"{urlsplit(address).netloc} answered {answer.status_code}: {_message(answer)}"
        raise Unreachable(problem)

    def token(self) -> str:
        """The deployment file's own, else of the application default credentials. NoCredentials without any."""
        if self.google.access_token:
            return self.google.access_token
        with self._lock:
            if self._token is None:
                self._token = _default_token()
            return self._token


def _default_token() -> str:
    os.environ.setdefault("GCE_METADATA_TIMEOUT", "1")  # else a laptop waits nine seconds for a server it has not
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
        credentials.refresh(Request())
    except GoogleAuthError as error:
        raise NoCredentials(str(error).splitlines()[0]) from error
    return str(credentials.token)


def _document(answer: httpx.Response) -> Document:
    if answer.status_code == 404:
        raise NotThere(404, _message(answer))
    if answer.status_code >= 400:
        raise Refused(answer.status_code, _message(answer))
    try:
        document = answer.json()
    except ValueError:
        raise Unreachable(f"{answer.url.netloc.decode()} answered {answer.status_code} with no JSON") from None
    if not isinstance(document, dict):
        raise Unreachable(f"{answer.url.netloc.decode()} answered with a {type(document).__name__}, not an object")
    return document


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200].strip() or answer.reason_phrase
