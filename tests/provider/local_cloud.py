"""A local cloud of the tests' own: started, called behind Terraform's back, stopped and started again."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT, NUMBER, REGION = "flan", "123456789012", "europe-west4"
PARENT, NUMBERED = f"projects/{PROJECT}/locations/{REGION}", f"projects/{NUMBER}/locations/{REGION}"
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


def serving_command(port: int, data: Path, *options: str) -> list[str]:
    """How a local cloud is started that takes little time over everything."""
    command = [sys.executable, "-m", "localcloud", "serve", "--port", str(port), "--data", str(data)]
    return [*command, "--project", f"{PROJECT}={NUMBER}", "--stage-seconds", "0.01", *options]


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
