"""A local cloud with projects of the tests' own, each made healthy before a test breaks one thing in it."""

from __future__ import annotations

import itertools
import shutil
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cdk.config import DEPLOYMENTS, DeploymentConfig
from cdk.images import Images
from cdk.naming import APIS, SERVING_IMAGE, TAG_LENGTH, UI_IMAGE, bucket_name, page_name, repository_id
from scripts.doctor.finding import Finding, Level
from scripts.google_api import GoogleApi
from tests.provider.local_cloud import REGION, Cloud, free_port_pair, serving_command

_NUMBERS = itertools.count(1)
PAGE = textwrap.dedent("""
    import os, signal, sys
    from http.server import HTTPServer, SimpleHTTPRequestHandler

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), SimpleHTTPRequestHandler).serve_forever()
""")


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


@dataclass(frozen=True)
class Project:
    """A project of a test's own: its deployment, and what a test does to it."""

    cloud: Cloud
    config: DeploymentConfig
    open: list[GoogleApi]

    @property
    def name(self) -> str:
        return self.config.google.project

    @property
    def parent(self) -> str:
        return f"projects/{self.name}/locations/{REGION}"

    @property
    def api(self) -> GoogleApi:
        """A new one each time: what was answered before is not asked again."""
        return self.api_of(self.config)

    def api_of(self, config: DeploymentConfig) -> GoogleApi:
        self.open.append(GoogleApi(config.google))
        return self.open[-1]

    def enable(self, names: tuple[str, ...] = APIS) -> None:
        services = {"serviceIds": [f"{name}.googleapis.com" for name in names]}
        self.cloud.call("POST", f"/v1/projects/{self.name}/services:batchEnable", services)

    def bucket(self, name: str, location: str = REGION, **fields: Any) -> None:
        self.cloud.call("POST", f"/storage/v1/b?project={self.name}", {"name": name, "location": location, **fields})

    def repository(self, **fields: Any) -> None:
        path = f"/v1/{self.parent}/repositories?repositoryId={repository_id(self.config)}"
        self.cloud.done("POST", path, {"format": "DOCKER", **fields})

    def image(self, package: str, tag: str, folder: Path) -> str:
        """Its digest."""
        uri = f"{REGION}-docker.pkg.dev/{self.name}/{repository_id(self.config)}/{package}"
        (folder / "page.py").write_text(PAGE)
        body = {"uri": f"{uri}:{tag}", "folder": str(folder), "config": {"cmd": ["python", "/page.py"]}}
        return f"{uri}@{self.cloud.call('POST', '/localcloud/images', body)['digest']}"

    def page(self, image: str) -> None:
        path = f"/v2/{self.parent}/services?serviceId={page_name(self.config)}"
        operation = self.cloud.call("POST", path, {"template": {"containers": [{"image": image}]}})
        self.cloud.call("POST", f"/v2/{operation['name']}:wait", {"timeout": "30s"})

    def remove(self, path: str) -> None:
        self.cloud.call("DELETE", path)

    def deploy(self, folder: Path) -> None:
        """What `make deploy` would have made, as far as the doctor looks."""
        self.enable()
        for noun in ("staging", "models"):
            self.bucket(bucket_name(self.config, noun))
        self.repository()
        images = Images(self.config)
        for package, source in ((SERVING_IMAGE, images.serving), (UI_IMAGE, images.ui)):
            image = self.image(package, source.content_hash[:TAG_LENGTH], folder)
        self.page(image)


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


def levels(findings: list[Finding]) -> dict[str, Level]:
    """The worst level by subject."""
    order = list(Level)
    found: dict[str, Level] = {}
    for one in findings:
        found[one.subject] = max(found.get(one.subject, Level.OK), one.level, key=order.index)
    return found


@pytest.fixture(scope="session", name="levels")
def levels_fixture() -> Callable[[list[Finding]], dict[str, Level]]:
    return levels
