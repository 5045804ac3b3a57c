"""The REST routes of Vertex AI's TensorboardService for TensorBoards: which call is which path, no more."""

from __future__ import annotations

from fastapi import APIRouter, Request

from localcloud.store import Document
from localcloud.vertex.addressing import PARENT, Addressing, query_of
from localcloud.vertex.tensorboards import Tensorboards
from localcloud.wire import JsonBody, update_mask

PATH = PARENT + "/tensorboards"
NAME = PATH + "/{tensorboard}"


def add_routes(routes: APIRouter, tensorboards: Tensorboards, prefix: str) -> None:
    address = Addressing(tensorboards.cloud.projects)

    @routes.post(f"{prefix}{PATH}")
    def create(request: Request, body: JsonBody) -> Document:
        return address.numbered(tensorboards.create(address.parent(request), body.get("tensorboard", body)))

    @routes.get(f"{prefix}{PATH}")
    def list_tensorboards(request: Request) -> Document:
        return tensorboards.list_tensorboards(address.parent(request), query_of(request))

    @routes.get(f"{prefix}{NAME}")
    def get(request: Request) -> Document:
        return tensorboards.get(address.name(request, "tensorboard"))

    @routes.patch(f"{prefix}{NAME}")
    def patch(request: Request, body: JsonBody) -> Document:
        mask = update_mask(query_of(request).get("updateMask"), body.get("updateMask"))
        wanted = body.get("tensorboard", body)
        return address.numbered(tensorboards.patch(address.name(request, "tensorboard"), wanted, mask))

    @routes.delete(f"{prefix}{NAME}")
    def delete(request: Request) -> Document:
        return address.numbered(tensorboards.delete(address.name(request, "tensorboard")))
