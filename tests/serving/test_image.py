"""What the image's files promise, as far as it can be seen without an image builder."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "serving"
# name of the module -> name of the package that brings it
PACKAGE = {"pydantic_core": "pydantic", "starlette": "fastapi", "google": "google-cloud-storage"}


def instructions():
    """The Dockerfile as (instruction, rest), continued lines joined."""
    text = (SERVING / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(re.split(r"\s+", line, maxsplit=1)) for line in lines]


def pins(path):
    return dict(
        re.findall(r"^([a-z0-9-]+)==([^\s;]+)(?: ; python_full_version < '3\.1[24]'| \\|;|$)", path.read_text(), re.M)
    )


def test_the_base_is_one_exact_release():
    arguments = [rest for name, rest in instructions() if name == "ARG"]

    assert len(arguments) == 1
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.11\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", arguments[0])


def test_weights_lie_in_a_layer_below_the_code_and_above_the_packages():
    copies = [rest for name, rest in instructions() if name == "COPY"]

    assert copies[-4:] == [
        "--from=packages /packages /usr/local",
        "weights/ model/",
        "serving/ serving/",
        "--from=kernels /build/serving/native/built/ serving/native/built/",
    ]


def test_the_process_is_not_root_and_starts_the_server():
    last = dict(instructions())

    assert last["USER"] == "10001"
    assert last["EXPOSE"] == "7080"
    assert json.loads(last["ENTRYPOINT"]) == ["python", "-m", "serving"]
    assert "CMD" not in last  # so that SageMaker's `serve` is an argument, not another program


def test_every_package_is_installed_with_its_hash():
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]

    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)


@pytest.mark.parametrize(("env", "status"), [({}, 0), ({"AIP_HEALTH_ROUTE": "/other"}, 1)])
def test_the_health_check_asks_the_servers_own_health_route(server, env, status):
    command = json.loads(dict(instructions())["HEALTHCHECK"].partition("CMD ")[2])
    port = str(httpx.URL(server.url).port)

    done = subprocess.run(
        [sys.executable, *command[1:]],
        env={"PATH": os.environ["PATH"], "AIP_HTTP_PORT": port} | env,
        capture_output=True,
        check=False,
    )

    assert done.returncode == status


def test_everything_the_code_imports_is_in_the_images_requirements():
    lines = (SERVING / "requirements.in").read_text().splitlines()
    wanted = {line.partition(";")[0] for line in lines if line and line[0] != "#"}
    wanted |= {"torch", "serving"} | sys.stdlib_module_names
    imported = set()
    for path in SERVING.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    needed = {PACKAGE.get(name, name.replace("_", "-")) for name in imported}

    assert needed - wanted - {"pydantic", "--future--"} == set()


def test_the_images_versions_are_the_projects_versions():
    project = pins(ROOT / "requirements.lock")
    image = pins(SERVING / "requirements.lock")
    cuda = pins(SERVING / "requirements-cuda.lock")

    assert image["transformers"] == "5.23.0"
    assert cuda["torch"] == "2.13.0"
    assert {name: version for name, version in image.items() if project.get(name, version) != version} == {}
    assert {name: version for name, version in cuda.items() if image.get(name, version) != version} == {}


def test_help_lists_every_setting():
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    for name in ("MODEL_DIR", "AIP_HTTP_PORT or PORT", "MAX_WAITING (default: 128)", "SHUTDOWN_GRACE_S"):
        assert name in done.stdout
