"""The REST routes of Vertex AI's JobService for custom jobs: which call is which path, no more."""

from __future__ import annotations

from fastapi import APIRouter, Request

from localcloud.store import Document
from localcloud.vertex.addressing import PARENT, Addressing, query_of
from localcloud.vertex.custom_jobs import CustomJobs
from localcloud.wire import JsonBody

PATH = PARENT + "/customJobs"
NAME = PATH + "/{customJob}"


def add_routes(routes: APIRouter, jobs: CustomJobs, prefix: str) -> None:
    address = Addressing(jobs.cloud.projects)

    @routes.post(f"{prefix}{PATH}")
    def create(request: Request, body: JsonBody) -> Document:
        return jobs.create(address.parent(request), body.get("customJob", body))

    @routes.get(f"{prefix}{PATH}")
    def list_jobs(request: Request) -> Document:
        return jobs.list_jobs(address.parent(request), query_of(request))

    @routes.get(f"{prefix}{NAME}")
    def get(request: Request) -> Document:
        return jobs.get(address.name(request, "customJob"))

    @routes.delete(f"{prefix}{NAME}")
    def delete(request: Request) -> Document:
        return address.numbered(jobs.delete(address.name(request, "customJob")))

    @routes.post(f"{prefix}{NAME}:cancel")
    def cancel(request: Request) -> Document:
        return jobs.cancel(address.name(request, "customJob"))
