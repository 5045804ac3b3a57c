"""The processes behind a deployed model: how each is started, whether it serves, why it does not.

Translates a model version's container spec into a supervised process, as Vertex AI translates it into a
container. Knows nothing of operations or routes.
Source: Vertex AI, custom container requirements for inference.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError
from localcloud.images.store import ImageConfig
from localcloud.metadata import host_for
from localcloud.runtime.environment import base_environment
from localcloud.runtime.probes import Probe, Probes
from localcloud.runtime.process import Process
from localcloud.store import Document
from localcloud.vertex.endpoints import replicas_of
from localcloud.vertex.models import Models, deployment_timeout_s
from localcloud.vertex.names import last, project_of

# Starts that may fail before a deployment is given up: a container that crashes at import never gets better.
MAX_CRASHES = 3


class Replicas:
    """Starts, finds and stops the replicas of deployed models. Round robin over the healthy ones."""

    def __init__(self, cloud: LocalCloud, models: Models) -> None:
        self._cloud = cloud
        self._models = models
        self._turn = itertools.count()

    def of(self, endpoint: str, deployed_id: str) -> list[Process]:
        return self._cloud.supervisor.list(under=replicas_of(endpoint, deployed_id))

    def next_healthy(self, endpoint: str, deployed_id: str) -> Process | None:
        healthy = [replica for replica in self.of(endpoint, deployed_id) if replica.state == "healthy"]
        return healthy[next(self._turn) % len(healthy)] if healthy else None

    def resize(self, endpoint: str, deployed: Document, *, count: int) -> None:
        """Starts those that are missing and stops those beyond *count*; the others are not touched."""
        prefix = replicas_of(endpoint, deployed["id"])
        wanted = [f"{prefix}/{index}" for index in range(count)]
        running = {replica.name for replica in self.of(endpoint, deployed["id"])}
        for name in wanted:
            if name not in running:
                self._start(name, endpoint, deployed)
        self._cloud.supervisor.stop(*(running - set(wanted)))

    def stop(self, endpoint: str, deployed_id: str) -> None:
        self._cloud.supervisor.stop(*(replica.name for replica in self.of(endpoint, deployed_id)))

    def wait_healthy(self, endpoint: str, deployed: Document, *, check: Callable[[], None]) -> None:
        """Returns when all are healthy. Raises the error with which Vertex AI fails a deployment.

        check: called often; may raise to stop the waiting.
        """
        _, version = self._models.find_version(f"{deployed['model']}@{deployed['modelVersionId']}")
        timeout_s = deployment_timeout_s(version, self._cloud.ready_timeout_s)
        deadline = time.monotonic() + timeout_s
        replicas = self.of(endpoint, deployed["id"])
        while not all(replica.state == "healthy" for replica in replicas):
            check()
            for replica in replicas:
                if replica.restarts >= MAX_CRASHES and replica.last_exit is not None:
                    raise self._failure("Model server exited unexpectedly.", replica)
                if replica.state == "stopped" or time.monotonic() > deadline:
                    raise self._failure("Model server never became ready.", replica)
            replicas[0].wait_healthy(0.05)
            time.sleep(0.01)  # the first may be healthy already while another is not

    def _failure(self, text: str, replica: Process) -> ApiError:
        return ApiError(
            "FAILED_PRECONDITION",
            f"{text} Please validate that your model file or container configuration are valid. "
            f"The last state of the container: {replica.reason or replica.state}. "
            f"Model server logs can be found at {self.log_url(replica.spec.log)}",
        )

    def log_url(self, log: Path) -> str:
        return f"{self._cloud.base_url}/localcloud/logs/{log.relative_to(self._cloud.logs_dir)}"

    def log_of(self, endpoint: str, deployed_id: str, index: int) -> Path:
        return self._cloud.logs_dir / f"{replicas_of(endpoint, deployed_id)}/{index}.log"

    def _start(self, name: str, endpoint: str, deployed: Document) -> None:
        _, version = self._models.find_version(f"{deployed['model']}@{deployed['modelVersionId']}")
        container: Document = version["containerSpec"]
        image = self._cloud.images.config(version["_digest"])
        root = self._cloud.images.rootfs(version["_digest"])
        env = base_environment(
            {**image.env, **{entry["name"]: str(entry.get("value", "")) for entry in container.get("env", [])}},
            metadata_host=host_for(self._cloud, deployed.get("serviceAccount")),
            data_dir=self._cloud.data_dir,
        )
        self._cloud.supervisor.start(
            name,
            command=command_of(container, image),
            cwd=root / image.workdir.lstrip("/"),
            env={
                **env,
                "GCE_METADATA_IP": self._cloud.metadata_host,
                **self._aip_variables(endpoint, deployed, version),
            },
            preferred_port=0,  # no network namespaces here: each replica has a port of its own
            port_variable="AIP_HTTP_PORT",
            log=self.log_of(endpoint, deployed["id"], int(last(name))),
            probes=probes_of(container, routes_of(container, endpoint, deployed["id"]), self._cloud.port_window_s),
            image=f"{container['imageUri'].partition('@')[0]}@{version['_digest']}",
        )

    def _aip_variables(self, endpoint: str, deployed: Document, version: Document) -> dict[str, str]:
        machine = deployed["dedicatedResources"]["machineSpec"]
        health, predict = routes_of(version["containerSpec"], endpoint, deployed["id"])
        variables = {
            "AIP_DEPLOYED_MODEL_ID": deployed["id"],
            "AIP_ENDPOINT_ID": last(endpoint),
            "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
            "AIP_HEALTH_ROUTE": health,
            "AIP_MACHINE_TYPE": machine["machineType"],
            "AIP_MODE": "PREDICTION",
            "AIP_MODE_VERSION": "1.0.0",
            "AIP_MODEL_NAME": last(endpoint),
            "AIP_PREDICT_ROUTE": predict,
            "AIP_PROJECT_NUMBER": self._cloud.projects.number(project_of(endpoint)),
            "AIP_STORAGE_URI": version.get("artifactUri", ""),
            "STORAGE_EMULATOR_HOST": self._cloud.base_url,  # where Google's clients find gs:// here
            "AIP_VERSION_NAME": deployed["id"],
        }
        if machine.get("acceleratorType"):
            variables["AIP_ACCELERATOR_TYPE"] = machine["acceleratorType"]
        return variables


def routes_of(container: Document, endpoint: str, deployed_id: str) -> tuple[str, str]:
    """The health and the predict route, with Vertex AI's defaults."""
    default = f"/v1/endpoints/{last(endpoint)}/deployedModels/{deployed_id}"
    return container.get("healthRoute") or default, container.get("predictRoute") or f"{default}:predict"


def command_of(container: Document, image: ImageConfig) -> list[str]:
    """containerSpec.command replaces the image's ENTRYPOINT and CMD, args alone its CMD: Kubernetes' rule."""
    command, args = container.get("command") or [], container.get("args") or []
    if command:
        return [*command, *args]
    return [*image.entrypoint, *args] if args else image.command


def probes_of(container: Document, routes: tuple[str, str], port_window_s: float) -> Probes:
    """The container's own probes, or Vertex AI's defaults: an open port is life, 200 on the health route is health."""
    ports = container.get("ports") or [{}]
    own_port = ports[0].get("containerPort", 8080)
    default_health = Probe(path=routes[0])
    default_liveness = Probe(window_s=port_window_s)
    return Probes(
        startup=_probe(container.get("startupProbe"), own_port, routes[0]),
        liveness=_probe(container.get("livenessProbe"), own_port, routes[0]) or default_liveness,
        health=_probe(container.get("healthProbe"), own_port, routes[0]) or default_health,
    )


def _probe(declared: Document | None, own_port: int, health_route: str) -> Probe | None:
    """declared: periodSeconds 10, timeoutSeconds 1, failureThreshold 3 where not said."""
    if not declared:
        return None
    window_s = float(declared.get("periodSeconds") or 10) * float(declared.get("failureThreshold") or 3)
    window_s += float(declared.get("initialDelaySeconds") or 0)
    get = declared.get("httpGet")
    port = (get or declared.get("tcpSocket") or {}).get("port") or own_port
    command = (declared.get("exec") or {}).get("command")
    return Probe(
        path=(get.get("path") or health_route) if get is not None else None,
        command=tuple(command) if command else None,
        # The container's declared port is, on this machine, the one that the process was given.
        port=None if int(port) == int(own_port) else int(port),
        timeout_s=float(declared.get("timeoutSeconds") or 1),
        window_s=window_s,
    )
