"""Unmodified clients, each in an environment of its own, against the running server with the embedded model.

An environment holds just what its file in requirements/ pins, and is kept under .flanstack/clients until that file
changes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.localcloud.conftest import launch
from tests.serving.conftest import ServerProcess
from tests.ui.conftest import start_page, vertex_server  # noqa: F401 (fixtures)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEPT = ROOT / ".flanstack" / "clients"
MODEL = "dialogue-t5-mini"
INSTALL_S = 100
# first words of a requirements file whose environment sees this project's packages after its own
BESIDE = b"# beside the project's packages"


def environment(name):
    """The Python of a client's environment, which is made when it is not there."""
    requirements = HERE / "requirements" / f"{name}.txt"
    told = requirements.read_bytes() + sys.version.encode()
    folder = KEPT / f"{name}-{hashlib.sha256(told).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    uv = Path(sys.executable).parent / "uv"
    for arguments in (
        ("venv", "-q", "--clear", "--python", sys.executable, folder),
        # nothing that the file does not name: it lists everything that the client needs
        ("pip", "install", "-q", "--no-deps", "--python", python, "-r", requirements),
    ):
        done = subprocess.run(
            [uv, *arguments], capture_output=True, text=True, timeout=INSTALL_S, cwd=KEPT.parent, check=False
        )
        assert done.returncode == 0, f"{name} cannot be installed; `-m 'not clients'` leaves it out: {done.stderr}"
    if told.startswith(BESIDE):
        (folder_of_packages(folder) / "project.pth").write_text(sysconfig.get_path("purelib"))
    (folder / "complete").touch()
    return python


def folder_of_packages(environment_folder):
    (found,) = environment_folder.glob("lib/*/site-packages")
    return found


@pytest.fixture(scope="session", autouse=True)
def kept_environments():
    KEPT.mkdir(parents=True, exist_ok=True)


@pytest.fixture
def run_client(tmp_path):
    """A factory: runs scripts/NAME.py in a client's environment and returns the JSON that it prints."""

    def run(environment_name, script, *arguments, **env):
        outside = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        done = subprocess.run(
            [environment(environment_name), HERE / "scripts" / f"{script}.py", *map(str, arguments)],
            cwd=tmp_path,
            env=outside | {"HOME": str(tmp_path), "PYTHONWARNINGS": "ignore", "no_proxy": "127.0.0.1"} | env,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def server():
    """The embedded model behind a real server process."""
    server = ServerProcess(MODEL_DIR=ROOT / "models" / MODEL).wait_healthy()
    yield server
    server.close()


@pytest.fixture(scope="session")
def golden():
    """Prompts of the embedded model and its answers."""
    return json.loads((ROOT / "models" / MODEL / "golden.json").read_text())


@pytest.fixture(scope="session")
def vertex(tmp_path_factory):
    """A local cloud with the serving image deployed to a shared and to a dedicated endpoint."""
    cloud = launch(tmp_path_factory.mktemp("localcloud") / "data")
    try:
        uri = f"europe-west4-docker.pkg.dev/{cloud.parent.split('/')[1]}/images/serving:v1"
        folder = tmp_path_factory.mktemp("image")
        shutil.copytree(ROOT / "serving", folder / "srv" / "serving", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "models" / MODEL, folder / "srv" / "model")
        env = {"MODEL_DIR": "model", "MODEL_NAME": MODEL, "NUM_THREADS": "1"}
        config = {"entrypoint": ["python", "-m", "serving"], "cmd": [], "env": env, "workdir": "/srv"}
        cloud.call("POST", "/localcloud/images", {"uri": uri, "folder": str(folder), "config": config})
        model = cloud.model(imageUri=uri)
        cloud.shared = cloud.endpoint()
        cloud.dedicated = cloud.endpoint(dedicatedEndpointEnabled=True)
        for endpoint in (cloud.shared, cloud.dedicated):
            operation = cloud.start_deploy(endpoint, model)
            cloud.wait(operation, timeout_s=90)
        yield cloud
    finally:
        cloud.end()
