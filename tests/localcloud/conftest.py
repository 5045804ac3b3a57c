"""A real local cloud per test session, and more of them for tests that stop one."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
REGION = "europe-west4"
_IDS = itertools.count(1001)
PROJECT, NUMBER = "flan-test", "123456789012"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
NUMBERED = f"projects/{NUMBER}/locations/{REGION}"


@dataclass
class Running:
    """One local cloud as a process of its own."""

    port: int
    data_dir: Path
    arguments: list[str]
    process: subprocess.Popen[str]
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dedicated_url(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    def status(self) -> dict:
        return self.http.get("/localcloud/status").json()

    def processes(self, under: str = "") -> list[dict]:
        return [one for one in self.status()["processes"] if under in one["name"]]

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """An answer that must be good."""
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def operation(self, method: str, path: str, body: dict | None = None, *, timeout_s: float = 30) -> dict:
        """A long-running operation, waited for: the finished document."""
        return self.wait(self.call(method, path, body)["name"], timeout_s=timeout_s)

    def wait(self, name: str, *, timeout_s: float = 30) -> dict:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            document = self.call("POST", f"/v1/{name}:wait", {"timeout": "5s"})
            if document["done"]:
                return document
        raise AssertionError(f"{name} is not done after {timeout_s} s: {document}")

    def refusal(self, method: str, path: str, body: dict | None = None) -> dict:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        assert error["code"] == answer.status_code
        return error

    def fault(self, **fault: object) -> str:
        return self.call("POST", "/localcloud/faults", fault)["id"]

    # What tests deploy. Ids are new in each call, so that tests do not meet.

    @property
    def parent(self) -> str:
        return PARENT

    @property
    def numbered(self) -> str:
        return NUMBERED

    def new_id(self) -> str:
        return str(next(_IDS))

    def image(self, uri: str = "", *, source: str = "", **config) -> str:
        """The URI, with a tag, of a one-file image that answers predictions."""
        uri = uri or f"{REGION}-docker.pkg.dev/{PROJECT}/images/echo:v{self.new_id()}"
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "srv").mkdir()
            (Path(folder) / "srv" / "server.py").write_text(source or SERVER)
            config = {"cmd": ["python", "server.py"], "env": {"FROM_IMAGE": "yes"}, "workdir": "/srv", **config}
            self.call("POST", "/localcloud/images", {"uri": uri, "folder": folder, "config": config})
        return uri

    def model(self, model_id: str | None = None, *, env: dict | None = None, parent: str = "", **container) -> str:
        """Uploads; returns the model's name, with its version."""
        model_id = model_id or f"m{self.new_id()}"
        spec = {
            "imageUri": container.pop("imageUri", None) or self.image(),
            "predictRoute": "/predict",
            "healthRoute": "/health",
            "env": [{"name": name, "value": value} for name, value in (env or {}).items()],
            **container,
        }
        body = {"model": {"displayName": "Echo", "containerSpec": spec}}
        body |= {"parentModel": parent} if parent else {"modelId": model_id}
        done = self.operation("POST", f"/v1/{PARENT}/models:upload", body)["response"]
        return f"{done['model']}@{done['modelVersionId']}"

    def endpoint(self, **fields) -> str:
        body = {"displayName": "An endpoint", **fields}
        done = self.operation("POST", f"/v1/{PARENT}/endpoints?endpointId={self.new_id()}", body)
        return done["response"]["name"]

    def start_deploy(self, endpoint: str, model: str, *, id: str = "", split: dict | None = None, **fields) -> str:  # noqa: A002
        """Returns the operation's name."""
        resources = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": fields.pop("replicas", 1)}
        deployed = {"id": id or self.new_id(), "model": model, "dedicatedResources": resources, **fields}
        body = {"deployedModel": deployed, "trafficSplit": {"0": 100} if split is None else split}
        return self.call("POST", f"/v1/{endpoint}:deployModel", body)["name"]

    def deploy(self, endpoint: str, model: str, **fields) -> dict:
        """The deployed model."""
        return self.wait(self.start_deploy(endpoint, model, **fields))["response"]["deployedModel"]

    def predict(self, endpoint: str, *instances) -> dict:
        return self.call("POST", f"/v1/{endpoint}:predict", {"instances": list(instances) or ["hi"]})

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.http.close()
        code = self.process.wait(20)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def free_ports() -> int:
    """The first of two free neighbours."""
    for port in range(21000 + os.getpid() % 5000 * 2, 32000, 2):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no two free neighbouring ports")


def launch(data_dir: Path, *arguments: str, port: int | None = None) -> Running:
    port = port or free_ports()
    command = [sys.executable, "-m", "localcloud", "serve", "--port", str(port), "--data", str(data_dir)]
    command += ["--project", f"{PROJECT}={NUMBER}", "--stage-seconds", "0", "--probe-period", "0.05", "--grace", "3"]
    env = {**os.environ, "SECRET_OF_THE_DEVELOPER": "1"}  # must not reach a container
    process = subprocess.Popen(
        [*command, *arguments], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    running = Running(port, data_dir, list(arguments), process)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            running.status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return running
    process.kill()
    raise AssertionError(f"the local cloud did not start: {process.communicate()[0]}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts local clouds on one data folder; ends those that the test leaves."""
    started: list[Running] = []

    def start_(*arguments: str, port: int | None = None) -> Running:
        started.append(launch(tmp_path / "data", *arguments, port=port))
        return started[-1]

    yield start_
    for running in started:
        running.end()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests that do not stop it; each test uses ids of its own."""
    running = launch(tmp_path_factory.mktemp("localcloud") / "data")
    yield running
    assert running.end() == 0


@pytest.fixture
def faults(cloud: Running) -> Iterator[Callable[..., str]]:
    """Faults that end with the test."""
    yield cloud.fault
    cloud.call("DELETE", "/localcloud/faults")


# A container of a few milliseconds: what the tests deploy instead of a language model.
SERVER = textwrap.dedent("""
    import json, os, signal, sys, time
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    if os.environ.get("CRASH"):
        sys.exit(f"crash at import: {os.environ['CRASH']}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            healthy = self.path == os.environ["AIP_HEALTH_ROUTE"] and not os.environ.get("UNHEALTHY")
            self.answer(200 if healthy else 503, {"status": "ok" if healthy else "loading"})

        def do_POST(self):
            raw = self.rfile.read(int(self.headers["content-length"]))
            body = json.loads(raw)
            if body.get("stream"):
                return self.stream()
            if "instances" not in body:
                return self.answer(200, {"raw": body, "path": self.path})
            self.answer(*self.predict(body))

        def predict(self, body):
            first = body["instances"][0] if body["instances"] else None
            if isinstance(first, dict) and "status" in first:
                return first["status"], {"detail": "as asked"}
            if isinstance(first, dict) and "sleep" in first:
                time.sleep(first["sleep"])
            if first == "large":
                return 200, {"predictions": ["x" * 2_000_000]}
            if first == "shapeless":
                return 200, {"answer": 1}
            said = {"greeting": os.environ.get("GREETING", "hello"), "pid": os.getpid(), "variables": list(os.environ)}
            aip = {key: value for key, value in os.environ.items() if key.startswith("AIP_")}
            return 200, {"predictions": [{**said, "instance": one, "aip": aip} for one in body["instances"]]}

        def stream(self):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            for number in range(3):
                self.wfile.write(f"data: {number}\\n\\n".encode())
                self.wfile.flush()
                time.sleep(0.15)

        def answer(self, status, body):
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    print("model server starts", flush=True)
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
""")
