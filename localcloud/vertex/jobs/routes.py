"""The REST routes of Vertex AI's JobService, for one kind of job: which call is which path, no more."""

from __future__ import annotations

from fastapi import APIRouter, Request

from localcloud.store import Document
from localcloud.vertex.addressing import PARENT, Addressing, query_of
from localcloud.vertex.jobs.documents import Jobs
from localcloud.wire import JsonBody


def add_routes(routes: APIRouter, jobs: Jobs, prefix: str) -> None:
    address = Addressing(jobs.cloud.projects)
    collection = f"{prefix}{PARENT}/{jobs.noun}s"
    job = f"{collection}/{{{jobs.noun}}}"

    @routes.post(collection)
    def create(request: Request, body: JsonBody) -> Document:
        return jobs.create(address.parent(request), body.get(jobs.noun, body))

    @routes.get(collection)
    def list_jobs(request: Request) -> Document:
        return jobs.list_jobs(address.parent(request), query_of(request))

    @routes.get(job)
    def get(request: Request) -> Document:
        return jobs.get(address.name(request, jobs.noun))

    @routes.delete(job)
    def delete(request: Request) -> Document:
        return address.numbered(jobs.delete(address.name(request, jobs.noun)))

    @routes.post(f"{job}:cancel")
    def cancel(request: Request) -> Document:
        return jobs.cancel(address.name(request, jobs.noun))
