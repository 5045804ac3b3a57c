"""A mirror with the stand-in, a local cloud with one image in it, and folders to run Terraform in."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localcloud.google_provider.__main__ import install_into
from tests.provider.local_cloud import free_port_pair

ROOT = Path(__file__).resolve().parents[2]


class Api:
    """The local cloud's REST APIs, called as anybody may call them behind Terraform's back."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None, content_type="application/json"):
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Authorization": "Bearer local"}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content.strip() else {}

    def status(self, method, path):
        try:
            self.call(method, path)
        except urllib.error.HTTPError as error:
            return error.code
        return 200


_AT_ONCE = ("apply", "-auto-approve", "-input=false", "-no-color")


class Workspace:
    """A folder with a configuration; commands run in it as a user would run them."""

    def __init__(self, folder, environment):
        self.folder = folder
        self._environment = environment

    def write(self, text, name="main.tf"):
        (self.folder / name).write_text(text)
        return self

    def run(self, *arguments, check=True):
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )
        if check and done.returncode:
            pytest.fail(f"terraform {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
        return done

    def init(self):
        self.run("init", "-input=false", "-no-color")
        return self

    def apply(self, *targets, **variables):
        """Applies everything, or only the targets and what they stand on."""
        return self.run(*_AT_ONCE, *(f"-target={one}" for one in targets), *_options(variables))

    def apply_planned(self):
        """Applies what `plan` planned last."""
        return self.run("apply", "-no-color", "plan")

    def refused(self, *arguments):
        """What Terraform says on standard error when it refuses, its line breaks taken out."""
        done = self.run(*arguments, "-no-color", check=False)
        assert done.returncode == 1, done.stdout
        return " ".join(done.stderr.split())

    def plan(self, **variables):
        """The planned changes by address: the actions, and the paths that force a replacement."""
        arguments = ["plan", "-input=false", "-no-color", "-detailed-exitcode", "-out=plan", *_options(variables)]
        done = self.run(*arguments, check=False)
        if done.returncode not in (0, 2):
            pytest.fail(f"terraform {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
        if done.returncode == 0:
            return {}
        changes = json.loads(self.run("show", "-json", "plan").stdout).get("resource_changes", [])
        return {one["address"]: one["change"] for one in changes if one["change"]["actions"] != ["no-op"]}

    def outputs(self):
        return {name: one["value"] for name, one in json.loads(self.run("output", "-json").stdout).items()}

    def resources(self):
        """The attributes of every resource in the state, by address."""
        state = json.loads(self.run("show", "-json").stdout)
        found = state.get("values", {}).get("root_module", {}).get("resources", [])
        return {one["address"]: one["values"] for one in found}


def _options(variables):
    return [
        f"-var={name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in variables.items()
    ]


@pytest.fixture(scope="session")
def mirror(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirror")
    install_into(folder)
    return folder


@pytest.fixture(scope="session")
def schemas(mirror):
    """The document of schemas that the installation wrote."""
    (path,) = mirror.rglob("schemas.json")
    return path


@pytest.fixture(scope="session")
def workspace(mirror, tmp_path_factory):
    """Makes folders in which Terraform finds the stand-in and nothing else."""
    rc = mirror / "terraformrc"
    rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')

    def make(name, **variables):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "GOOGLE_"))}
        environment |= {"TF_CLI_CONFIG_FILE": str(rc), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        environment |= {f"TF_VAR_{key}": value for key, value in variables.items()}
        return Workspace(tmp_path_factory.mktemp(name), environment)

    return make


@pytest.fixture(scope="session")
def configuration():
    """The text of a configuration with every resource type."""
    return Path(__file__).with_name("all_resources.tf").read_text()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """A local cloud of its own; stopped, with every process it started, when the tests are over."""
    folder, port = tmp_path_factory.mktemp("cloud"), free_port_pair()
    command = [sys.executable, "-m", "localcloud", "serve", "--port", str(port), "--data", str(folder / "data")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--stage-seconds", "0"], cwd=ROOT, stdout=log, stderr=log)
    try:
        api = Api(f"http://127.0.0.1:{port}")
        _wait_until_it_answers(api, process, folder / "log")
        yield api
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder / "data", ignore_errors=True)


PAGE = """
import http.server, os
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
DOCKERFILE = """
FROM python:3.11-slim
WORKDIR /srv
COPY page.py .
CMD ["python", "page.py"]
"""


@pytest.fixture(scope="session")
def image(cloud):
    """An image with its digest, built by the local cloud; what a Cloud Run service needs."""
    place, tag = "projects/flan/locations/europe-west4", "europe-west4-docker.pkg.dev/flan/base/page:1"
    cloud.call("POST", f"/v1/{place}/repositories?repositoryId=base", {"format": "DOCKER"})
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-base", "location": "europe-west4"})
    upload = "/upload/storage/v1/b/flan-base/o?uploadType=media&name=source.tar.gz"
    cloud.call("POST", upload, archive(Dockerfile=DOCKERFILE, **{"page.py": PAGE}), "application/gzip")
    step = {"name": "gcr.io/cloud-builders/docker", "args": ["build", "-t", tag, "."]}
    source = {"storageSource": {"bucket": "flan-base", "object": "source.tar.gz"}}
    started = cloud.call("POST", f"/v1/{place}/builds", {"source": source, "steps": [step], "images": [tag]})
    build = wait_for(lambda: _finished_build(cloud, f"/v1/{place}/builds/{started['metadata']['build']['id']}"))
    assert build["status"] == "SUCCESS", build
    return f"{tag.removesuffix(':1')}@{build['results']['images'][0]['digest']}"


def _finished_build(cloud, path):
    build = cloud.call("GET", path)
    return build if build["status"] not in ("PENDING", "QUEUED", "WORKING") else None


def archive(**files):
    """A .tar.gz of texts, in memory."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def wait_for(condition, timeout_s=30.0):
    """The first true result of the condition."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    pytest.fail(f"not within {timeout_s:g} s: {condition}")


def _wait_until_it_answers(api, process, log):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            api.call("GET", "/localcloud/status")
            return
        time.sleep(0.05)
    pytest.fail(f"the local cloud does not answer:\n{log.read_text()}")


class Script:
    """A server that gives its answers in order, the last one for ever, and remembers the calls."""

    def __init__(self):
        self.answers, self.calls = [], []

    def next(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def scripted_url(script):
    """The base URL of an API that follows the script."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            script.calls.append((self.command, self.path, self.rfile.read(length), self.headers.get("Authorization")))
            status, body = script.next()
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815  http.server looks for these names

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1/"
    yield url
    server.shutdown()
    thread.join()
    server.server_close()
