"""Cloud Run v2: services that run an image's own command as a process, with an address each.

Source: Cloud Run Admin API v2, projects.locations.services; the container contract for PORT and K_*.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from fastapi import APIRouter

from localcloud import revisions
from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid
from localcloud.operations import RunningOperation, now, public
from localcloud.policies import drop_policy, get_policy, set_policy
from localcloud.store import Document
from localcloud.wire import JsonBody, page, update_mask

KIND = "service"
TYPE = "type.googleapis.com/google.cloud.run.v2.Service"
# What a change of a service leaves as it is. `_serving`: the revision that answers, see `revisions.revision_of`.
_KEPT = (
    *("name", "uid", "createTime", "creator", "uri", "urls", "_serving"),
    *("terminalCondition", "conditions", "latestReadyRevision", "observedGeneration", "trafficStatuses"),
)
logger = logging.getLogger("localcloud")


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
        """Starts the container and waits until it listens.

        A service that failed is kept, as Google does; the revision before it serves again.
        """
        name, has_started = running.arguments["name"], False
        document = self._become(name, "CONDITION_RECONCILING", "Deploying revision")
        try:
            running.stage()
            wanted = revisions.revision_of(self._cloud, document["template"], document["latestCreatedRevision"])
            has_started = True
            self._start(name, wanted, document.get("uri"))
            revisions.wait_ready(self._cloud, name, check=running.check)
        except ApiError as error:
            document = self._become(name, "CONDITION_FAILED", error.message)
            if has_started:
                self._fall_back(document)
            raise
        return public(self._become(name, "CONDITION_SUCCEEDED", "", serving=wanted))

    def delete(self, running: RunningOperation) -> Document:
        name = running.arguments["name"]
        document = self._cloud.store.get(name) or {"name": name}
        running.stage()
        self._cloud.store.delete(name)
        self._cloud.supervisor.stop(name)  # last: a deployment that still runs finds no service to start
        drop_policy(self._cloud.store, name)
        return {**public(document), "deleteTime": now()}

    def start_again(self) -> None:
        """After a restart of the local cloud: what served serves again, at the address it had when that is free."""
        for document in self._cloud.store.list(KIND):
            if document.get("_serving"):
                try:
                    self._start(document["name"], document["_serving"], document["uri"])
                except ApiError as error:
                    logger.error("%s", error.message)

    def _fall_back(self, document: Document) -> None:
        self._cloud.supervisor.stop(document["name"])
        if document.get("_serving"):
            self._start(document["name"], document["_serving"], document["uri"])

    def _start(self, name: str, revision: Document, address: str | None) -> None:
        address = revisions.start(self._cloud, name, revision, address=address)
        try:
            self._change(name, lambda held: held.update(uri=address, urls=[address]))
        except ApiError:
            self._cloud.supervisor.stop(name)
            raise

    def _become(self, name: str, state: str, message: str, *, serving: Document | None = None) -> Document:
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
            if serving is not None:
                document["_serving"] = serving
                document["latestReadyRevision"] = serving["name"]
                document["observedGeneration"] = document["generation"]
                document["trafficStatuses"] = [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]

        return self._change(name, change)

    def _change(self, name: str, change: Callable[[Document], None]) -> Document:
        try:
            return self._cloud.store.update(name, change)
        except KeyError:
            raise ApiError("ABORTED", f"{name} was deleted while it was deployed.") from None


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
            metadata={"@type": TYPE, **public(document)},
            response_type=TYPE,
            cancellable=False,
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
        _check(cloud, body)
        document = _new(name, body)
        if validateOnly:
            return cloud.operations.done(
                prefix=name.partition("/services/")[0],
                response=document,
                response_type=TYPE,
                metadata={"@type": TYPE, **document},
            )
        with store.transaction():
            if store.get(name) is not None:
                raise ApiError("ALREADY_EXISTS", f"Resource '{serviceId}' already exists.")
            store.put(name, kind=KIND, document=document)
        return start("deployService", document)

    @routes.get(base)
    def list_(project: str, location: str, pageSize: str | None = None, pageToken: str | None = None) -> Document:  # noqa: N803
        parent = f"projects/{cloud.projects.id(project)}/locations"
        found = store.list(KIND, under=parent if location == "-" else f"{parent}/{location}/services")
        return page([public(one) for one in found], key="services", size=pageSize, token=pageToken)

    @routes.get(base + "/{service}:getIamPolicy")
    def get_iam(project: str, location: str, service: str) -> Document:
        return get_policy(store, held(project, location, service)["name"])

    @routes.post(base + "/{service}:setIamPolicy")
    def set_iam(project: str, location: str, service: str, body: JsonBody) -> Document:
        return set_policy(store, held(project, location, service)["name"], body.get("policy", {}))

    @routes.get(base + "/{service}")
    def get(project: str, location: str, service: str) -> Document:
        return public(held(project, location, service))

    @routes.patch(base + "/{service}")
    def patch(project: str, location: str, service: str, body: JsonBody, updateMask: str | None = None) -> Document:  # noqa: N803
        """Without a mask the body is the whole service."""
        before = held(project, location, service)
        heads = {field.partition(".")[0] for field in update_mask(updateMask)} - {"*"}
        wanted = {key: value for key, value in before.items() if key not in heads} if heads else {}
        wanted |= {key: value for key, value in body.items() if not heads or key in heads}
        _check(cloud, wanted)

        def change(document: Document) -> None:
            kept: Document = {key: document[key] for key in _KEPT if key in document}
            generation = int(document["generation"]) + 1
            document.clear()
            document.update(_specified(wanted) | kept | _stamp(kept["name"], generation))

        return start("deployService", store.update(before["name"], change))

    @routes.delete(base + "/{service}")
    def delete(project: str, location: str, service: str) -> Document:
        return start("deleteService", held(project, location, service))

    return routes


def _check(cloud: LocalCloud, body: Document) -> None:
    """ApiError for what cannot be run here, before anything is changed."""
    containers = body.get("template", {}).get("containers") or []
    if len(containers) != 1:
        raise invalid(f"template.containers: exactly one container is served here, got {len(containers)}.")
    for entry in containers[0].get("env", []):
        if entry.get("valueSource"):
            raise invalid(f"env {entry.get('name')}: valueSource is not served here; there is no Secret Manager.")
    cloud.images.resolve(str(containers[0].get("image", "")))


def _new(name: str, body: Document) -> Document:
    return {
        **_specified(body),
        **_stamp(name, 1),
        "name": name,
        "uid": str(uuid.uuid4()),
        "createTime": now(),
        "creator": "local",
        "terminalCondition": {"type": "Ready", "state": "CONDITION_PENDING"},
    }


def _specified(body: Document) -> Document:
    return {"ingress": "INGRESS_TRAFFIC_ALL", "launchStage": "GA", **body}


def _stamp(service: str, generation: int) -> Document:
    """What is new in every generation of a service."""
    return {
        "generation": str(generation),
        "latestCreatedRevision": f"{service}/revisions/{service.rpartition('/')[2]}-{generation:05d}",
        "updateTime": now(),
        "etag": uuid.uuid4().hex,
    }
