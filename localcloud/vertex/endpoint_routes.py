"""The REST routes of Vertex AI's EndpointService: which call is which path, no more."""

from __future__ import annotations

from fastapi import APIRouter, Request

from localcloud.store import Document
from localcloud.vertex.addressing import PARENT, Addressing, query_of
from localcloud.vertex.deployments import Deployments
from localcloud.vertex.endpoint_service import EndpointService
from localcloud.wire import JsonBody, update_mask

PATH = PARENT + "/endpoints"
NAME = PATH + "/{endpoint}"


def add_routes(routes: APIRouter, service: EndpointService, deployments: Deployments, prefix: str) -> None:
    _add_deployment_routes(routes, service, deployments, prefix)
    _add_endpoint_routes(routes, service, prefix)


def _add_endpoint_routes(routes: APIRouter, service: EndpointService, prefix: str) -> None:
    address = Addressing(service.cloud.projects)

    @routes.post(f"{prefix}{PATH}")
    def create(request: Request, body: JsonBody) -> Document:
        endpoint = body.get("endpoint", body)
        endpoint_id = query_of(request).get("endpointId") or body.get("endpointId")
        return address.numbered(service.create(address.parent(request), endpoint, endpoint_id))

    @routes.get(f"{prefix}{PATH}")
    def list_endpoints(request: Request) -> Document:
        return service.list_endpoints(address.parent(request), query_of(request))

    @routes.get(f"{prefix}{NAME}")
    def get(request: Request) -> Document:
        return service.endpoints.get(address.name(request, "endpoint"))

    @routes.patch(f"{prefix}{NAME}")
    def patch(request: Request, body: JsonBody) -> Document:
        mask = update_mask(query_of(request).get("updateMask"), body.get("updateMask"))
        return service.endpoints.patch(address.name(request, "endpoint"), body.get("endpoint", body), mask)

    @routes.post(f"{prefix}{NAME}:update")
    def update(request: Request, body: JsonBody) -> Document:
        return address.numbered(service.update(address.name(request, "endpoint"), body.get("endpoint") or {}))

    @routes.delete(f"{prefix}{NAME}")
    def delete(request: Request) -> Document:
        return address.numbered(service.delete(address.name(request, "endpoint")))


def _add_deployment_routes(routes: APIRouter, service: EndpointService, deployments: Deployments, prefix: str) -> None:
    address = Addressing(service.cloud.projects)

    @routes.post(f"{prefix}{NAME}:deployModel")
    def deploy(request: Request, body: JsonBody) -> Document:
        return address.numbered(deployments.start_deploy(address.name(request, "endpoint"), body))

    @routes.post(f"{prefix}{NAME}:undeployModel")
    def undeploy(request: Request, body: JsonBody) -> Document:
        return address.numbered(deployments.start_undeploy(address.name(request, "endpoint"), body))

    @routes.post(f"{prefix}{NAME}:mutateDeployedModel")
    def mutate(request: Request, body: JsonBody) -> Document:
        mask = update_mask(query_of(request).get("updateMask"), body.get("updateMask"))
        return address.numbered(deployments.start_mutate(address.name(request, "endpoint"), body, mask))
