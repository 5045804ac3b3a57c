"""Projects with something of every kind in them: labelled as the stacks label, and made by hand beside them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.provider.local_cloud import REGION
from tests.scripts.project import PAGE, Project

_IDS = itertools.count(9001)


@dataclass(frozen=True)
class Maker:
    """Makes things in one project, with the deployment's labels unless told otherwise."""

    project: Project
    folder: Path

    @property
    def labels(self) -> dict[str, str]:
        return self.project.config.all_labels

    def image(self) -> str:
        uri = f"{REGION}-docker.pkg.dev/{self.project.name}/flan-images/echo"
        (self.folder / "page.py").write_text(PAGE.replace('os.environ["PORT"]', 'os.environ["AIP_HTTP_PORT"]'))
        body = {"uri": f"{uri}:1", "folder": str(self.folder), "config": {"cmd": ["python", "page.py"], "workdir": "/"}}
        return f"{uri}@{self.project.cloud.call('POST', '/localcloud/images', body)['digest']}"

    def model(self, **fields: Any) -> str:
        """Its name."""
        container = {"imageUri": self.image(), "predictRoute": "/", "healthRoute": "/"}
        model = {"displayName": "echo", "containerSpec": container, "labels": self.labels, **fields}
        body = {"model": model, "modelId": f"m{next(_IDS)}"}
        return str(self.project.cloud.done("POST", f"/v1/{self.project.parent}/models:upload", body)["model"])

    def endpoint(self, **fields: Any) -> str:
        path = f"/v1/{self.project.parent}/endpoints?endpointId={next(_IDS)}"
        body = {"displayName": "by hand", "labels": self.labels, **fields}
        return str(self.project.cloud.done("POST", path, body)["name"])

    def deployed(self, endpoint: str, model: str, *, machine: str = "a2-highgpu-1g", replicas: int = 1) -> str:
        """Its id."""
        number = str(next(_IDS))
        spec: dict[str, Any] = {"machineType": machine}
        if machine.startswith("a2-"):
            spec |= {"acceleratorType": "NVIDIA_TESLA_A100", "acceleratorCount": 1}
        resources = {"machineSpec": spec, "minReplicaCount": replicas, "maxReplicaCount": replicas}
        body = {"deployedModel": {"id": number, "model": model, "dedicatedResources": resources}}
        split = self.project.cloud.call("GET", f"/v1/{endpoint}").get("trafficSplit", {})
        body["trafficSplit"] = {**dict.fromkeys(split, 50), "0": 50 if split else 100}
        self.project.cloud.done("POST", f"/v1/{endpoint}:deployModel", body)
        return number

    def page(self, **fields: Any) -> None:
        path = f"/v2/{self.project.parent}/services?serviceId=flan-ui"
        (self.folder / "page.py").write_text(PAGE)
        uri = f"{REGION}-docker.pkg.dev/{self.project.name}/flan-images/page"
        body = {"uri": f"{uri}:1", "folder": str(self.folder), "config": {"cmd": ["python", "page.py"], "workdir": "/"}}
        digest = self.project.cloud.call("POST", "/localcloud/images", body)["digest"]
        service = {"template": {"containers": [{"image": f"{uri}@{digest}"}], **fields}, "labels": self.labels}
        operation = self.project.cloud.call("POST", path, service)
        self.project.cloud.call("POST", f"/v2/{operation['name']}:wait", {"timeout": "30s"})

    def build(self, *, seconds: float = 0, tags: list[str] | None = None) -> str:
        """Its id. It goes on for so long."""
        step = {
            "name": "python:3.11-slim",
            "entrypoint": "python",
            "args": ["-c", f"import time; time.sleep({seconds})"],
        }
        body = {"steps": [step], "tags": self.project.config.build_tags if tags is None else tags}
        body |= {"options": {"machineType": "E2_HIGHCPU_8"}}
        operation = self.project.cloud.call("POST", f"/v1/{self.project.parent}/builds", body)
        return str(operation["metadata"]["build"]["id"])

    def tensorboard(self) -> None:
        body = {"displayName": "curves", "labels": self.labels}
        self.project.cloud.done("POST", f"/v1/{self.project.parent}/tensorboards", body)

    def job(self) -> None:
        """A training job that goes on until it is cancelled."""
        container = {"imageUri": self.image(), "command": ["python", "-c", "import time; time.sleep(60)"]}
        pool = {"machineSpec": {"machineType": "n1-standard-4"}, "replicaCount": 1, "containerSpec": container}
        body = {"displayName": "tuning", "jobSpec": {"workerPoolSpecs": [pool]}, "labels": self.labels}
        self.project.cloud.call("POST", f"/v1/{self.project.parent}/customJobs", body)

    def bucket(self, name: str, **fields: Any) -> None:
        self.project.bucket(name, labels=self.labels, **fields)


@pytest.fixture
def make(project: Project, tmp_path: Path) -> Maker:
    return Maker(project, tmp_path)
