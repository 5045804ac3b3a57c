"""A project of a test's own in a local cloud: what a test makes in it, breaks in it, and asks of it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdk.config import DeploymentConfig
from cdk.images import Images
from cdk.naming import APIS, SERVING_IMAGE, TAG_LENGTH, UI_IMAGE, bucket_name, page_name, repository_id
from scripts.google_api import GoogleApi
from tests.provider.local_cloud import REGION, Cloud

PAGE = textwrap.dedent("""
    import os, signal, sys
    from http.server import HTTPServer, SimpleHTTPRequestHandler

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), SimpleHTTPRequestHandler).serve_forever()
""")


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
        body = {"uri": f"{uri}:{tag}", "folder": str(folder), "config": {"cmd": ["python", "page.py"], "workdir": "/"}}
        return f"{uri}@{self.cloud.call('POST', '/localcloud/images', body)['digest']}"

    def page(self, image: str) -> None:
        path = f"/v2/{self.parent}/services?serviceId={page_name(self.config)}"
        operation = self.cloud.call("POST", path, {"template": {"containers": [{"image": image}]}})
        waited = self.cloud.call("POST", f"/v2/{operation['name']}:wait", {"timeout": "30s"})
        assert "error" not in waited, waited

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
