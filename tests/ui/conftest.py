"""A Vertex endpoint on loopback with answers to order, and the page as a process in front of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = "projects/flan-demo/locations/europe-west4/endpoints/4711"
TOKEN = "token-of-the-metadata-server"


@dataclass
class Answer:
    """One answer to a predict request. delay_s: how long it takes; drop: close the connection instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: bool = False

    def raw(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


def predictions(text: Any) -> Answer:
    return Answer(body={"predictions": [text], "deployedModelId": "1"})


class FakeVertex:
    """Gives `answers` in order, the last one for ever. Is a metadata server too, and gives out `tokens` in order."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.tokens: deque[str] = deque([TOKEN])
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.num_aborted = 0
        self.is_stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"fake": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def predict_url(self) -> str:
        return f"http://{self.host}/v1/{ENDPOINT}:predict"

    def reset(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.tokens = deque([TOKEN])
        self.requests, self.authorizations, self.num_aborted = [], [], 0

    def stop(self) -> None:
        self.is_stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_answer(self) -> Answer:
        return self.answers.popleft() if len(self.answers) > 1 else self.answers[0]

    def metadata(self, path: str) -> Any:
        if path.endswith("/token"):
            token = self.tokens.popleft() if len(self.tokens) > 1 else self.tokens[0]
            return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        return ACCOUNT if path.startswith(ACCOUNTS) else METADATA.get(path, "")


ACCOUNTS = "/computeMetadata/v1/instance/service-accounts/"
METADATA: dict[str, Any] = {
    "/computeMetadata/v1/project/project-id": "flan-demo",
    "/computeMetadata/v1/universe/universe-domain": "googleapis.com",
}
# asked for as `default`, then, once it is known, by its email
ACCOUNT = {
    "aliases": ["default"],
    "email": "ui@flan-demo.iam.gserviceaccount.com",
    "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeVertex

    def do_POST(self) -> None:
        self.fake.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.fake.authorizations.append(self.headers["Authorization"])
        answer = self.fake.next_answer()
        if not self._wait(answer.delay_s) or answer.drop:
            self.close_connection = True
            return
        self._send(answer.status, answer.raw(), answer.headers)

    def _wait(self, delay_s: float) -> bool:
        """False when the client left meanwhile."""
        deadline = time.monotonic() + delay_s
        self.connection.settimeout(0.02)
        while time.monotonic() < deadline and not self.fake.is_stopping.is_set():
            try:
                if self.connection.recv(1) == b"":
                    self.fake.num_aborted += 1
                    return False
            except TimeoutError:
                pass
        self.connection.settimeout(None)
        return True

    def do_GET(self) -> None:
        body = self.fake.metadata(self.path.partition("?")[0])
        kind, raw = ("application/json", json.dumps(body)) if isinstance(body, dict) else ("application/text", body)
        self._send(200, raw.encode(), {"Metadata-Flavor": "Google", "Content-Type": kind})

    def _send(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def vertex_server() -> Iterator[FakeVertex]:
    fake = FakeVertex()
    yield fake
    fake.stop()


@pytest.fixture
def vertex(vertex_server: FakeVertex) -> FakeVertex:
    vertex_server.reset(predictions("the answer"))
    return vertex_server


@dataclass
class Page:
    """`python -m ui` as a process; `log` is where it prints."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


StartPage = Callable[..., Page]


@pytest.fixture(scope="session")
def start_page(vertex_server: FakeVertex, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPage]:
    """Starts a page with an environment of its own, as a container gets it."""
    started: list[Page] = []

    def start(*, is_awaited: bool = True, **environment: str) -> Page:
        home = tmp_path_factory.mktemp("page")
        port = free_port()
        settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(home),
            "CLOUDSDK_CONFIG": str(home),
            "GCE_METADATA_HOST": vertex_server.host,
            "GCE_METADATA_IP": vertex_server.host,  # google-auth looks here whether there is one at all
            "PYTHONPATH": str(ROOT),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "ENDPOINT": ENDPOINT,
            "PREDICT_URL": vertex_server.predict_url,
            "MODEL_NAME": "dialogue-t5-mini",
            "PRICE_USD_PER_HOUR": "4.3102",
        } | environment
        log = home / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "ui"],
                env=settings,
                cwd=home,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        page = Page(f"http://127.0.0.1:{settings['PORT']}", process, log)
        started.append(page)
        if is_awaited:
            await_page(page)
        return page

    yield start
    for page in started:
        page.process.kill()
        page.process.wait()


def await_page(page: Page, *, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while page.process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{page.url}/healthz", timeout=timeout_s).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"the page did not start: {page.log.read_text()}")


@pytest.fixture(scope="session")
def shared_page(start_page: StartPage) -> Page:
    return start_page(PREDICT_TIMEOUT_S="20")
