"""A local cloud with projects of the tests' own."""

from __future__ import annotations

import itertools
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdk.config import DEPLOYMENTS, DeploymentConfig
from scripts.google_api import GoogleApi
from tests.provider.local_cloud import Cloud, free_port_pair, serving_command
from tests.scripts.project import Project

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder, port = tmp_path_factory.mktemp("doctor"), free_port_pair()
    command = serving_command(port, folder / "data", "--probe-period", "0.1", "--grace", "2")
    cloud = Cloud(f"http://127.0.0.1:{port}", command, folder / "log")
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()
        shutil.rmtree(folder / "data", ignore_errors=True)


@pytest.fixture
def faults(cloud: Cloud) -> Iterator[Callable[..., str]]:
    """Faults that end with the test."""
    yield cloud.fault
    cloud.call("DELETE", "/localcloud/faults")


@pytest.fixture
def new_project(cloud: Cloud) -> Iterator[Callable[..., Project]]:
    """Makes projects. changes: values of the deployment file by dotted key, `__` for the dot."""
    opened: list[GoogleApi] = []

    def make(**changes: Any) -> Project:
        values = tomllib.loads((DEPLOYMENTS / "local.toml").read_text())
        name = f"flan-{next(_NUMBERS):04d}"
        number = cloud.call("GET", f"/v1/projects/{name}")["projectNumber"]
        values["google"] |= {"project": name, "project_number": number, "api_endpoint": cloud.url}
        for key, value in changes.items():
            *tables, last = key.split("__")
            table = values
            for part in tables:
                table = table.setdefault(part, {})
            table[last] = value
        return Project(cloud, DeploymentConfig(env="local", **values), opened)

    yield make
    for api in opened:
        api.close()


@pytest.fixture
def project(new_project: Callable[..., Project]) -> Project:
    """An empty one."""
    return new_project()


@pytest.fixture
def deployed(project: Project, tmp_path: Path) -> Project:
    project.deploy(tmp_path)
    return project
