"""The REST routes of Vertex AI's ModelService: which call is which path, no more."""

from __future__ import annotations

from fastapi import APIRouter, Request

from localcloud.errors import invalid
from localcloud.store import Document
from localcloud.vertex.addressing import PARENT, Addressing, query_of
from localcloud.vertex.model_service import ModelService
from localcloud.vertex.names import model_name
from localcloud.wire import JsonBody, update_mask

PATH = PARENT + "/models"
NAME = PATH + "/{model}"  # `model` keeps its @version or @alias, however the client escaped it


def add_routes(routes: APIRouter, service: ModelService, prefix: str) -> None:
    _add_reads(routes, service, prefix)
    _add_writes(routes, service, prefix)


def _add_reads(routes: APIRouter, service: ModelService, prefix: str) -> None:
    address = Addressing(service.cloud.projects)

    @routes.get(f"{prefix}{PATH}")
    def list_models(request: Request) -> Document:
        return service.list_models(address.parent(request), query_of(request))

    @routes.get(f"{prefix}{NAME}:listVersions")
    def list_versions(request: Request) -> Document:
        return service.list_versions(address.name(request, "model"), query_of(request))

    @routes.get(f"{prefix}{NAME}")
    def get(request: Request) -> Document:
        return service.models.get(address.name(request, "model"))


def _add_writes(routes: APIRouter, service: ModelService, prefix: str) -> None:
    address = Addressing(service.cloud.projects)

    @routes.post(f"{prefix}{PATH}:upload")
    def upload(request: Request, body: JsonBody) -> Document:
        return address.numbered(service.upload(address.parent(request), body))

    @routes.patch(f"{prefix}{NAME}")
    def patch(request: Request, body: JsonBody) -> Document:
        mask = update_mask(query_of(request).get("updateMask"), body.get("updateMask"))
        return service.models.patch(address.name(request, "model"), body.get("model", body), mask)

    @routes.post(f"{prefix}{NAME}:mergeVersionAliases")
    def merge_version_aliases(request: Request, body: JsonBody) -> Document:
        return service.models.merge_aliases(address.name(request, "model"), body.get("versionAliases") or [])

    @routes.delete(f"{prefix}{NAME}:deleteVersion")
    def delete_version(request: Request) -> Document:
        name = address.name(request, "model")
        if model_name(name).version is None:
            raise invalid(f"deleteVersion needs a version: {name}@VERSION.")
        return address.numbered(service.delete(name, only_version=True))

    @routes.delete(f"{prefix}{NAME}")
    def delete(request: Request) -> Document:
        return address.numbered(service.delete(address.name(request, "model"), only_version=False))
