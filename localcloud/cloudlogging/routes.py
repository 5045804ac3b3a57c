"""Cloud Logging v2, as far as people look for why something failed: `entries:list`."""

from __future__ import annotations

import re

from fastapi import APIRouter

from localcloud.cloud import LocalCloud
from localcloud.cloudlogging import entries, filters
from localcloud.cloudlogging.job_entries import of_custom_jobs
from localcloud.errors import invalid
from localcloud.store import Document
from localcloud.wire import JsonBody, page

ORDERS = {"": False, "timestamp asc": False, "timestamp desc": True}
_PROJECT = re.compile(r"^projects/([^/]+)(?:/|$)")


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()

    @routes.post("/v2/entries:list")
    def list_(body: JsonBody) -> Document:
        order = str(body.get("orderBy") or "")
        if order not in ORDERS:
            raise invalid(f"orderBy must be 'timestamp asc' or 'timestamp desc', got {order!r}.")
        wanted = filters.parse(str(body.get("filter") or ""))
        found = [entry for project in _projects(cloud, body) for entry in _all(cloud, project) if wanted(entry)]
        found.sort(key=lambda entry: str(entry["timestamp"]), reverse=ORDERS[order])
        return page(found, key="entries", size=str(body.get("pageSize") or 50), token=body.get("pageToken"))

    return routes


def _projects(cloud: LocalCloud, body: Document) -> list[str]:
    names = [*body.get("resourceNames", []), *(f"projects/{one}" for one in body.get("projectIds", []))]
    if not names:
        raise invalid("resourceNames must name at least one project, as projects/PROJECT.")
    projects = []
    for name in names:
        found = _PROJECT.match(str(name))
        if found is None:
            raise invalid(f"Invalid resource name {name!r}: this server has the logs of projects/PROJECT alone.")
        projects.append(cloud.projects.id(found[1]))
    return list(dict.fromkeys(projects))


def _all(cloud: LocalCloud, project: str) -> list[Document]:
    return [
        *entries.of_endpoints(cloud, project),
        *entries.of_builds(cloud, project),
        *of_custom_jobs(cloud, project),
    ]
