"""A real local cloud, folders to run real Terraform in, and a server that answers as a script says."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provider.plugin import RELEASE
from tests.provider.local_cloud import PROJECT, REGION, ROOT, Cloud, free_port_pair, serving_command
from tests.provider.script import Script, running_script
from tests.provider.workspace import Workspace, terraform_environment
from tfplugin.install import install


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder, port = tmp_path_factory.mktemp("cloud"), free_port_pair()
    command = serving_command(port, folder / "data", "--probe-period", "0.1", "--grace", "2")
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


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests measure and tell is no past run of the user's."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FLANSTACK_STATE_DIR", str(tmp_path_factory.mktemp("local-state")))
        yield


@pytest.fixture
def script() -> Iterator[Script]:
    """What a test needs that the local cloud does not do on demand."""
    with running_script() as script:
        yield script
