"""A real local cloud, folders to run real Terraform in, and a server that answers as a script says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from provider.plugin import RELEASE
from tfplugin.install import install

ROOT = Path(__file__).resolve().parents[2]
PROJECT, NUMBER, REGION = "flan", "123456789012", "europe-west4"
PARENT, NUMBERED = f"projects/{PROJECT}/locations/{REGION}", f"projects/{NUMBER}/locations/{REGION}"


class Cloud:
    """The local cloud's REST APIs, called as anybody may call them behind Terraform's back."""

    def __init__(self, url: str, command: list[str] | None = None, log: Path | None = None) -> None:
        self.url, self.command, self.log = url, command or [], log or Path(os.devnull)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                self.call("GET", "/localcloud/status")
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(self.log.read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def restart(self) -> None:
        """Faults end with it; records and what runs do not."""
        self.stop()
        self.start()

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}")

    def exists(self, path: str) -> bool:
        try:
            self.call("GET", path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True

    def done(self, method: str, path: str, body: object = None) -> Any:
        """A long-running operation, waited for: its response."""
        operation = self.call(method, path, body)
        operation = self.call("POST", f"/v1/{operation['name']}:wait", {"timeout": "30s"})
        assert "error" not in operation, operation
        return operation["response"]

    def image(self, version: str = "1", **variables: str) -> str:
        """An image by digest whose container answers health checks and predictions.

        variables: STATUS answers predictions with it, DELAY_S makes them wait.
        """
        uri = f"{REGION}-docker.pkg.dev/{PROJECT}/images/echo"
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "srv").mkdir()
            (Path(folder) / "srv" / "server.py").write_text(SERVER)
            config = {"cmd": ["python", "server.py"], "env": {"VERSION": version, **variables}, "workdir": "/srv"}
            body = {"uri": f"{uri}:v{version}", "folder": folder, "config": config}
            return f"{uri}@{self.call('POST', '/localcloud/images', body)['digest']}"

    def version(self, model_id: str, version: str, **variables: str) -> str:
        """The name of a new version of a model, or of its first one."""
        spec = {"imageUri": self.image(version, **variables), "predictRoute": "/predict", "healthRoute": "/health"}
        name = f"{PARENT}/models/{model_id}"
        where = {"parentModel": name} if self.exists(f"/v1/{name}") else {"modelId": model_id}
        body = {"model": {"displayName": model_id.title(), "containerSpec": spec}, **where}
        response = self.done("POST", f"/v1/{PARENT}/models:upload", body)
        return f"{name}@{response['modelVersionId']}"

    def deployed_to(self, endpoint: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/v1/{endpoint}").get("deployedModels", []))

    def endpoint(self, number: str, **fields: object) -> str:
        self.done("POST", f"/v1/{PARENT}/endpoints?endpointId={number}", {"displayName": "Flan", **fields})
        return f"{PARENT}/endpoints/{number}"

    def fault(self, match: dict[str, object], effect: dict[str, object], *, times: int | None = 1) -> str:
        return str(self.call("POST", "/localcloud/faults", {"match": match, "effect": effect, "times": times})["id"])

    def requests(self, method: str, path: str) -> int:
        """How many requests of this kind the cloud has had. path: a regular expression."""
        return len(self.call("GET", f"/localcloud/journal?method={method}&path={path}")["requests"])


class Workspace:
    """A folder with one configuration; Terraform runs in it as a user would run it."""

    def __init__(self, folder: Path, environment: dict[str, str], settings: dict[str, object]) -> None:
        self.folder, self.settings = folder, settings
        self.progress_file = folder / "progress.jsonl"
        self.environment = environment | {"FLANSTACK_PROGRESS_FILE": str(self.progress_file)}

    def write(self, *, provider: dict[str, object] | None = None, **resources: object) -> Workspace:
        """resources: by type without `vertex_`, each the one resource `this`. provider: settings that differ."""
        document = {
            "provider": {"vertex": self.settings | (provider or {})},
            "resource": {f"vertex_{kind}": {"this": body} for kind, body in resources.items()},
        }
        text = json.dumps({key: value for key, value in document.items() if value})
        (self.folder / "main.tf.json").write_text(text)
        return self

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["terraform", *arguments, "-no-color"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, check: bool = True) -> str:
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        assert not (check and process.returncode), f"terraform {' '.join(arguments)}\n{output}"
        return output

    def refused(self, *arguments: str) -> str:
        """What a command says that must fail, Terraform's frame and line breaks taken out."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1, output
        return " ".join(line.strip("│╷╵ ") for line in output.splitlines() if line.strip("│╷╵ "))

    def apply(self, *arguments: str) -> str:
        return self.run("apply", "-auto-approve", "-input=false", *arguments)

    def destroy(self) -> str:
        return self.run("destroy", "-auto-approve", "-input=false")

    def plan(self, *arguments: str) -> dict[str, Any]:
        """The planned changes, by resource type without `vertex_`."""
        self.run("plan", "-input=false", "-out=plan", *arguments)
        shown = json.loads(self.run("show", "-json", "plan"))
        changes = {one["type"].removeprefix("vertex_"): one["change"] for one in shown.get("resource_changes", [])}
        return {kind: change for kind, change in changes.items() if change["actions"] != ["no-op"]}

    def actions(self) -> dict[str, str]:
        """What a plan would do, by resource type: create, update, replace or delete. Half as long as `plan`."""
        lines = [json.loads(line) for line in self.run("plan", "-input=false", "-json").splitlines()]
        changes = [line["change"] for line in lines if line["type"] == "planned_change"]
        return {one["resource"]["resource_type"].removeprefix("vertex_"): one["action"] for one in changes}

    def is_unchanged(self) -> bool:
        """Whether a plan is empty; when it is not, the test's output shows it."""
        process = self.start("plan", "-input=false", "-detailed-exitcode")
        output, _ = process.communicate(timeout=60)
        sys.stdout.write(output)
        return process.returncode == 0

    def state(self) -> dict[str, Any]:
        """The resources' attributes, by type without `vertex_`; `tainted` tells which are."""
        path = self.folder / "terraform.tfstate"
        resources = json.loads(path.read_text())["resources"] if path.exists() else []
        found = {one["type"].removeprefix("vertex_"): one["instances"][0] for one in resources}
        return {kind: one["attributes"] | {"tainted": one.get("status") == "tainted"} for kind, one in found.items()}

    def wait_for_phase(self, phase: str) -> None:
        wait_for(lambda: phase in self.phases())

    def phases(self) -> list[str]:
        if not self.progress_file.exists():
            return []
        return [json.loads(line)["phase"] for line in self.progress_file.read_text().splitlines()]


def wait_for(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """The first true result of the condition."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    pytest.fail(f"not within {timeout_s:g} s")


def free_port_pair() -> int:
    """A port whose successor is free too: the local cloud takes both."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port
    raise RuntimeError("no two neighbouring free ports in 100 tries")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder, port = tmp_path_factory.mktemp("cloud"), free_port_pair()
    command = [sys.executable, "-m", "localcloud", "serve", "--port", str(port), "--data", str(folder / "data")]
    command += ["--project", f"{PROJECT}={NUMBER}", "--stage-seconds", "0.01", "--probe-period", "0.1", "--grace", "2"]
    cloud = Cloud(f"http://127.0.0.1:{port}", command, folder / "log")
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()
        shutil.rmtree(folder / "data", ignore_errors=True)


@pytest.fixture(scope="session")
def models(cloud: Cloud) -> list[str]:
    """Two versions of a model."""
    return [cloud.version("echo", "1"), cloud.version("echo", "2")]


@pytest.fixture
def new_endpoint(cloud: Cloud) -> Iterator[str]:
    """An endpoint of its own, emptied when the test is over."""
    name = cloud.endpoint(str(10_000 + time.monotonic_ns() // 1000 % 900_000_000))
    yield name
    cloud.call("PATCH", f"/v1/{name}?updateMask=trafficSplit", {"trafficSplit": {}})
    for one in cloud.deployed_to(name):
        cloud.done("POST", f"/v1/{name}:undeployModel", {"deployedModelId": one["id"]})


@pytest.fixture(scope="session")
def deployed() -> Callable[..., dict[str, Any]]:
    """Makes configurations of a deployed model."""

    def make(
        endpoint: str, model: str, *, replicas: tuple[int, int] = (1, 1), machine: str = "n1-standard-2", **fields: Any
    ) -> dict[str, Any]:
        resources = {"min_replica_count": replicas[0], "max_replica_count": replicas[1]}
        fixed = {"lifecycle": [{"create_before_destroy": True}], "drain": "0s"}
        machines: dict[str, Any] = {"machine_spec": [{"machine_type": machine}]}
        return {"endpoint": endpoint, "model": model, "dedicated_resources": [resources | machines], **fixed, **fields}

    return make


@pytest.fixture
def faults(cloud: Cloud) -> Iterator[Callable[..., str]]:
    """Faults that end with the test."""
    yield cloud.fault
    cloud.call("DELETE", "/localcloud/faults")


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `terraform init` has found the provider in a mirror beside it, without any CLI setting."""
    folder = tmp_path_factory.mktemp("initialised")
    install(RELEASE, folder / "terraform.d" / "plugins", root=ROOT)
    required = {"vertex": {"source": RELEASE.source, "version": RELEASE.version}}
    (folder / "versions.tf.json").write_text(json.dumps({"terraform": {"required_providers": required}}))
    environment = terraform_environment()
    subprocess.run(["terraform", "init", "-input=false"], cwd=folder, env=environment, check=True, capture_output=True)
    return folder


def terraform_environment() -> dict[str, str]:
    dropped = ("TF_", "GOOGLE_", "FLANSTACK_PROGRESS")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return kept | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


@pytest.fixture(scope="session")
def workspace(initialised: Path, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workspace]:
    """Makes folders that are initialised and point at the local cloud."""

    def make(name: str) -> Workspace:
        folder = tmp_path_factory.mktemp(name) / "stack"
        shutil.copytree(initialised, folder, symlinks=True)
        settings: dict[str, object] = {"project": PROJECT, "region": REGION}
        settings |= {"api_endpoint": cloud.url, "access_token": "local-secret"}
        return Workspace(folder, terraform_environment(), settings)

    return make


SERVER = textwrap.dedent("""
    import json, os, signal, sys, time
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer({"status": "ok"})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            time.sleep(float(os.environ.get("DELAY_S", "0")))
            said = {"version": os.environ["VERSION"], "greeting": os.environ.get("GREETING")}
            answer = {"predictions": [said for _ in body["instances"]]}
            self.answer(answer, int(os.environ.get("STATUS", "200")))

        def answer(self, body, status=200):
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
""")


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests measure and tell is no past run of the user's."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FLANSTACK_STATE_DIR", str(tmp_path_factory.mktemp("local-state")))
        yield


class Script:
    """A server that gives its answers in order, the last one for ever, and remembers the calls."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[tuple[int, Any] | tuple[int, Any, dict[str, str]]] = []
        self.calls: list[tuple[str, str, bytes, dict[str, str]]] = []

    def next(self) -> tuple[int, Any, dict[str, str]]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return (*answer, {})[:3]  # type: ignore[return-value]

    @property
    def requests(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.calls]


@pytest.fixture
def script() -> Iterator[Script]:
    """What a test needs that the local cloud does not do on demand."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.calls.append((self.command, self.path, body, headers))
            status, reply, extra = script.next()
            content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            for name, value in {**extra, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815  http.server looks for these names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()
