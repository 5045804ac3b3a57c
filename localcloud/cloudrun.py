"""Cloud Run v2: services that run an image's own command as a process, with an address each.

Source: Cloud Run Admin API v2, projects.locations.services; the container contract for PORT and K_*.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from fastapi import APIRouter

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid, not_found
from localcloud.metadata import host_for
from localcloud.operations import RunningOperation, now
from localcloud.policies import drop_policy, get_policy, set_policy
from localcloud.runtime.environment import base_environment
from localcloud.runtime.probes import Probe, Probes
from localcloud.store import Document
from localcloud.wire import JsonBody, page

KIND = "service"
TYPE = "type.googleapis.com/google.cloud.run.v2.Service"
DEFAULT_PORT = 8080
START_TIMEOUT_S = 240.0
# What a change of a service leaves as it is.
_IDENTITY = ["name", "uid", "createTime", "creator", "uri", "urls", "terminalCondition", "latestReadyRevision"]


def register(cloud: LocalCloud) -> None:
    services = Services(cloud)
    cloud.operations.register("deployService", services.deploy)
    cloud.operations.register("deleteService", services.delete)
    cloud.starters.append(services.start_again)


class Services:
    """What happens to services; the routes only ask for it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def deploy(self, running: RunningOperation) -> Document:
        """Starts the container and waits until it listens. A service that failed is kept, as Google does."""
        name = running.arguments["name"]
        running.stage()
        self._become(name, "CONDITION_RECONCILING", "Deploying revision")
        try:
            self._start(name)
            self._wait(running, name)
        except ApiError as error:
            self._become(name, "CONDITION_FAILED", error.message)
            raise
        return self._become(name, "CONDITION_SUCCEEDED", "")

    def delete(self, running: RunningOperation) -> Document:
        name = running.arguments["name"]
        document = self._cloud.store.get(name) or {"name": name}
        running.stage()
        self._cloud.supervisor.stop(name)
        self._cloud.store.delete(name)
        drop_policy(self._cloud.store, name)
        return {**document, "deleteTime": now()}

    def start_again(self) -> None:
        """After a restart of the local cloud: what ran runs again, at the address it had when that is free."""
        for document in self._cloud.store.list(KIND):
            if document["terminalCondition"]["state"] == "CONDITION_SUCCEEDED":
                self._start(document["name"])

    def _start(self, name: str) -> None:
        cloud = self._cloud
        document = cloud.store.get(name)
        if document is None:
            raise not_found(name)
        template = document["template"]
        container = template["containers"][0]
        digest = cloud.images.resolve(container["image"])
        image, root = cloud.images.config(digest), cloud.images.rootfs(digest)
        given = {entry["name"]: str(entry.get("value", "")) for entry in container.get("env", [])}
        env = base_environment({**image.env, **given}, metadata_host=cloud.metadata_host, data_dir=cloud.data_dir)
        env["GCE_METADATA_HOST"] = host_for(cloud, template.get("serviceAccount"))
        service = name.rpartition("/")[2]
        env |= {"K_SERVICE": service, "K_REVISION": document["latestCreatedRevision"], "K_CONFIGURATION": service}
        preferred = int(document["uri"].rpartition(":")[2]) if document.get("uri") else _port(container)
        process = cloud.supervisor.start(
            name,
            command=_command(container, image.command, image.entrypoint),
            cwd=root / Path(image.workdir.lstrip("/")),
            env=env,
            preferred_port=preferred,
            port_variable="PORT",
            log=cloud.logs_dir / f"{name}.log",
            probes=_probes(container),
            image=f"{container['image'].partition('@')[0].partition(':')[0]}@{digest}",
        )
        address = f"http://127.0.0.1:{process.port}"
        cloud.store.update(name, lambda held: held.update(uri=address, urls=[address]))

    def _wait(self, running: RunningOperation, name: str) -> None:
        process = self._cloud.supervisor.get(name)
        if process is None:
            raise ApiError("ABORTED", f"{name} was stopped while it was deployed.")
        waited = 0.0
        while not process.wait_healthy(0.2):
            running.check()
            waited += 0.2
            if process.restarts >= 3 or process.state == "stopped" or waited > START_TIMEOUT_S:
                raise ApiError(
                    "FAILED_PRECONDITION",
                    f"Revision '{name.rpartition('/')[2]}' is not ready and cannot serve traffic. The user-provided "
                    f"container failed to start and listen on the port defined provided by the PORT={process.port} "
                    f"environment variable. The last lines of its log:\n{process.log_tail(15)}",
                )

    def _become(self, name: str, state: str, message: str) -> Document:
        condition = {"type": "Ready", "state": state, "lastTransitionTime": now()}
        if message:
            condition["message"] = message

        def change(document: Document) -> None:
            document["terminalCondition"] = condition
            document["conditions"] = [
                {**condition, "type": "RoutesReady"},
                {**condition, "type": "ConfigurationsReady"},
            ]
            document["reconciling"] = state == "CONDITION_RECONCILING"
            if state == "CONDITION_SUCCEEDED":
                document["latestReadyRevision"] = document["latestCreatedRevision"]
                document["observedGeneration"] = document["generation"]

        return self._cloud.store.update(name, change)


def _command(container: Document, command: list[str], entrypoint: list[str]) -> list[str]:
    if container.get("command"):
        return [*container["command"], *container.get("args", [])]
    return [*entrypoint, *container["args"]] if container.get("args") else list(command)


def _port(container: Document) -> int:
    ports = container.get("ports") or [{}]
    return int(ports[0].get("containerPort", DEFAULT_PORT))


def _probes(container: Document) -> Probes:
    """The startup probe; by default an open port, for four minutes. A running process is only watched."""
    given = container.get("startupProbe", {})
    window_s = (
        float(given.get("periodSeconds", 10)) * int(given.get("failureThreshold", 3)) if given else START_TIMEOUT_S
    )
    path = given.get("httpGet", {}).get("path")
    timeout_s = max(float(given.get("timeoutSeconds", 1)), 5.0)  # a laptop is slower than a cloud
    return Probes(startup=Probe(path=path, timeout_s=timeout_s, window_s=max(window_s, 60.0)))


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    store = cloud.store
    base = "/v2/projects/{project}/locations/{location}/services"

    def named(project: str, location: str, service: str) -> str:
        return f"projects/{cloud.projects.id(project)}/locations/{location}/services/{service}"

    def held(project: str, location: str, service: str) -> Document:
        document = store.get(named(project, location, service))
        if document is None:
            raise ApiError(
                "NOT_FOUND", f"Resource '{service}' of kind 'SERVICE' in region '{location}' does not exist."
            )
        return document

    def start(work: str, document: Document) -> Document:
        name = document["name"]
        return cloud.operations.start(
            work,
            prefix=name.partition("/services/")[0],
            arguments={"name": name},
            metadata={"@type": TYPE, **document},
            response_type=TYPE,
        )

    @routes.post(base)
    def create(
        project: str,
        location: str,
        body: JsonBody,
        serviceId: str,  # noqa: N803
        validateOnly: bool = False,  # noqa: N803
    ) -> Document:
        name = named(project, location, serviceId)
        document = _new(cloud, name, body)
        if validateOnly:
            return document
        with store.transaction():
            if store.get(name) is not None:
                raise ApiError("ALREADY_EXISTS", f"Resource '{serviceId}' already exists.")
            store.put(name, kind=KIND, document=document)
        return start("deployService", document)

    @routes.get(base)
    def list_(project: str, location: str, pageSize: str | None = None, pageToken: str | None = None) -> Document:  # noqa: N803
        parent = f"projects/{cloud.projects.id(project)}/locations"
        found = store.list(KIND, under=parent if location == "-" else f"{parent}/{location}/services")
        return page(found, key="services", size=pageSize, token=pageToken)

    @routes.get(base + "/{service}:getIamPolicy")
    def get_iam(project: str, location: str, service: str) -> Document:
        return get_policy(store, held(project, location, service)["name"])

    @routes.post(base + "/{service}:setIamPolicy")
    def set_iam(project: str, location: str, service: str, body: JsonBody) -> Document:
        return set_policy(store, held(project, location, service)["name"], body.get("policy", {}))

    @routes.get(base + "/{service}")
    def get(project: str, location: str, service: str) -> Document:
        return held(project, location, service)

    @routes.patch(base + "/{service}")
    def patch(project: str, location: str, service: str, body: JsonBody) -> Document:
        before = held(project, location, service)
        _checked(cloud, body)

        def change(document: Document) -> None:
            kept: Document = {key: before[key] for key in _IDENTITY if key in before}
            generation = int(before["generation"]) + 1
            document.clear()
            document.update({**body, **kept, "updateTime": now(), "generation": str(generation)})
            document["latestCreatedRevision"] = _revision(kept["name"], generation)

        return start("deployService", store.update(before["name"], change))

    @routes.delete(base + "/{service}")
    def delete(project: str, location: str, service: str) -> Document:
        return start("deleteService", held(project, location, service))

    return routes


def _checked(cloud: LocalCloud, body: Document) -> None:
    containers = body.get("template", {}).get("containers") or []
    if len(containers) != 1:
        raise invalid(f"template.containers: exactly one container is served here, got {len(containers)}.")
    cloud.images.resolve(str(containers[0].get("image", "")))


def _new(cloud: LocalCloud, name: str, body: Document) -> Document:
    _checked(cloud, body)
    return {
        "ingress": "INGRESS_TRAFFIC_ALL",
        "launchStage": "GA",
        **body,
        "name": name,
        "uid": str(uuid.uuid4()),
        "generation": "1",
        "createTime": now(),
        "updateTime": now(),
        "creator": "local",
        "latestCreatedRevision": _revision(name, 1),
        "terminalCondition": {"type": "Ready", "state": "CONDITION_PENDING"},
        "etag": uuid.uuid4().hex,
    }


def _revision(service: str, generation: int) -> str:
    return f"{service}/revisions/{service.rpartition('/')[2]}-{generation:05d}"
