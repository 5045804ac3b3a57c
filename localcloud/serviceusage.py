"""Service Usage v1: which APIs a project has enabled. Enabling changes nothing here: all are served."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from localcloud import service_agents
from localcloud.cloud import LocalCloud
from localcloud.errors import invalid
from localcloud.store import Document
from localcloud.wire import JsonBody, page

KIND, SWITCHED_OFF = "enabledService", "disabledService"
# On in every project until somebody switches them off.
BORN_WITH = ("cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com")
RESPONSE = "type.googleapis.com/google.api.serviceusage.v1.{}ServiceResponse"
METADATA = {"@type": "type.googleapis.com/google.api.serviceusage.v1.OperationMetadata"}


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    store, projects = cloud.store, cloud.projects

    def shown(project: str, service: str) -> Document:
        name = f"projects/{projects.id(project)}/services/{service}"
        is_on = store.get(name) is not None or (service in BORN_WITH and store.get(f"{name}/off") is None)
        state = "ENABLED" if is_on else "DISABLED"
        number = projects.number(project)
        return {
            "name": f"projects/{number}/services/{service}",
            "config": {"name": service},
            "state": state,
            "parent": f"projects/{number}",
        }

    def switch(project: str, service: str, *, on: bool) -> Document:
        if not service.endswith(".googleapis.com"):
            raise invalid(f"Invalid service {service!r}: a name such as aiplatform.googleapis.com is needed.")
        name = f"projects/{projects.id(project)}/services/{service}"
        if on:
            store.delete(f"{name}/off")
        if on and store.get(name) is None:
            store.put(name, kind=KIND, document={"name": name})
            service_agents.introduce(cloud, projects.id(project), service)
        elif not on:
            store.delete(name)
            store.put(f"{name}/off", kind=SWITCHED_OFF, document={"name": name})
        verb = "Enable" if on else "Disable"
        response = {"service": shown(project, service)}
        return cloud.operations.done(
            prefix=f"projects/{projects.id(project)}",
            response=response,
            response_type=RESPONSE.format(verb),
            metadata=dict(METADATA),
        )

    @routes.post("/v1/projects/{project}/services/{service}:enable")
    def enable(project: str, service: str) -> Document:
        return switch(project, service, on=True)

    @routes.post("/v1/projects/{project}/services/{service}:disable")
    def disable(project: str, service: str) -> Document:
        return switch(project, service, on=False)

    @routes.post("/v1beta1/projects/{project}/services/{service}:generateServiceIdentity")
    def generate_identity(project: str, service: str) -> Document:
        email = service_agents.email_of(projects.number(project), service)
        if email is None:
            raise invalid(f"{service} has no service agent here.")
        return cloud.operations.done(
            prefix=f"projects/{projects.id(project)}",
            response={"email": email, "uniqueId": str(int.from_bytes(email.encode()[:8], "big"))},
            response_type="type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity",
            metadata=dict(METADATA),
        )

    @routes.post("/v1/projects/{project}/services:batchEnable")
    def batch_enable(project: str, body: JsonBody) -> Document:
        for service in body.get("serviceIds", []):
            switch(project, service, on=True)
        response = {"services": [shown(project, service) for service in body.get("serviceIds", [])]}
        return cloud.operations.done(
            prefix=f"projects/{projects.id(project)}",
            response=response,
            response_type=RESPONSE.format("BatchEnable"),
            metadata=dict(METADATA),
        )

    @routes.get("/v1/projects/{project}/services:batchGet")
    def batch_get(project: str, names: Annotated[list[str], Query()]) -> Document:
        return {"services": [shown(project, name.rpartition("/")[2]) for name in names]}

    @routes.get("/v1/projects/{project}/services/{service}")
    def get(project: str, service: str) -> Document:
        return shown(project, service)

    @routes.get("/v1/projects/{project}/services")
    def list_(project: str, pageSize: str | None = None, pageToken: str | None = None) -> Document:  # noqa: N803
        names = [one["name"] for one in store.list(KIND, under=f"projects/{projects.id(project)}/services")]
        found = [shown(project, name.rpartition("/")[2]) for name in names]
        return page(found, key="services", size=pageSize, token=pageToken)

    return routes
