"""Cloud Build v1's routes for builds and triggers, global and regional, and v2's for connections and repositories."""

from __future__ import annotations

import base64
import uuid

from fastapi import APIRouter

from localcloud.cloud import LocalCloud
from localcloud.cloudbuild.builds import Builds, shown
from localcloud.cloudbuild.validation import check_trigger
from localcloud.errors import ApiError, invalid
from localcloud.operations import RunningOperation, now
from localcloud.store import Document
from localcloud.wire import JsonBody, page

TRIGGER, CONNECTION, CONNECTED = "trigger", "connection", "connectedRepository"
V2_TYPE = "type.googleapis.com/google.devtools.cloudbuild.v2."


def register(cloud: LocalCloud) -> None:
    def put(running: RunningOperation) -> Document:
        running.stage()
        document: Document = running.arguments["document"]
        cloud.store.put(document["name"], kind=running.arguments["kind"], document=document)
        return document

    def drop(running: RunningOperation) -> Document:
        running.stage()
        cloud.store.delete(running.arguments["name"])
        return {}

    cloud.operations.register("build", Builds(cloud).work)
    cloud.operations.register("putConnection", put)
    cloud.operations.register("dropConnection", drop)


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    builds = Builds(cloud)
    for path, location in (("/v1/projects/{project}", "global"), ("/v1/projects/{project}/locations/{location}", None)):
        _add_builds(routes, cloud, builds, path, location)
        _add_triggers(routes, cloud, builds, path, location)
    _add_connections(routes, cloud)

    def build_of(project: str, encoded: str) -> Document:
        """An operation's name ends with the base64 of its build's id."""
        try:
            build_id = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except ValueError:
            raise ApiError("NOT_FOUND", f"Requested entity was not found: operation {encoded}") from None
        return builds.get(cloud.projects.id(project), "-", build_id)

    @routes.get("/v1/operations/build/{project}/{encoded}")
    def operation(project: str, encoded: str) -> Document:
        return builds.operation(build_of(project, encoded))

    @routes.post("/v1/operations/build/{project}/{encoded}:cancel")
    def cancel_operation(project: str, encoded: str) -> Document:
        builds.cancel(build_of(project, encoded))
        return {}

    return routes


def _add_builds(routes: APIRouter, cloud: LocalCloud, builds: Builds, path: str, fixed: str | None) -> None:
    """fixed: the location that a path without one means."""

    def found(project: str, location: str, build: str) -> Document:
        return builds.get(cloud.projects.id(project), fixed or location, build)

    @routes.post(path + "/builds")
    def create(project: str, body: JsonBody, location: str = "global") -> Document:
        return builds.submit(cloud.projects.id(project), fixed or location, body)

    @routes.get(path + "/builds")
    def list_(
        project: str,
        location: str = "global",
        pageSize: str | None = None,  # noqa: N803
        pageToken: str | None = None,  # noqa: N803
    ) -> Document:
        held = [shown(one) for one in builds.list(cloud.projects.id(project), fixed or location)]
        return page(held, key="builds", size=pageSize, token=pageToken)

    @routes.get(path + "/builds/{build}")
    def get(project: str, build: str, location: str = "global") -> Document:
        return shown(found(project, location, build))

    @routes.post(path + "/builds/{build}:cancel")
    def cancel(project: str, build: str, location: str = "global") -> Document:
        return shown(builds.cancel(found(project, location, build)))

    @routes.post(path + "/builds/{build}:retry")
    def retry(project: str, build: str, location: str = "global") -> Document:
        kept = ("steps", "images", "source", "substitutions", "timeout", "options", "serviceAccount", "tags")
        document = found(project, location, build)
        again = {key: document[key] for key in kept if key in document}
        return builds.submit(document["projectId"], document["name"].split("/")[3], again)


def _add_triggers(routes: APIRouter, cloud: LocalCloud, builds: Builds, path: str, fixed: str | None) -> None:
    store = cloud.store

    def parent_of(project: str, location: str) -> str:
        return f"projects/{cloud.projects.id(project)}/locations/{fixed or location}/triggers"

    def held(project: str, location: str, trigger: str) -> Document:
        """A trigger by id or by name."""
        parent = parent_of(project, location)
        document = store.get(f"{parent}/{trigger}")
        if document is None:
            document = next((one for one in store.list(TRIGGER, under=parent) if one.get("name") == trigger), None)
        if document is None:
            raise ApiError("NOT_FOUND", f"Requested entity was not found: trigger {trigger}")
        return document

    @routes.post(path + "/triggers")
    def create(project: str, body: JsonBody, location: str = "global") -> Document:
        check_trigger(body)
        trigger_id = str(uuid.uuid4())
        resource = f"{parent_of(project, location)}/{trigger_id}"
        name = body.get("name") or f"trigger-{trigger_id[:8]}"
        document = {**body, "id": trigger_id, "name": name, "resourceName": resource, "createTime": now()}
        with store.transaction():
            if any(one["name"] == name for one in store.list(TRIGGER, under=parent_of(project, location))):
                raise ApiError("ALREADY_EXISTS", f"a trigger named {name} already exists in this project")
            store.put(resource, kind=TRIGGER, document=document)
        return document

    @routes.get(path + "/triggers")
    def list_(
        project: str,
        location: str = "global",
        pageSize: str | None = None,  # noqa: N803
        pageToken: str | None = None,  # noqa: N803
    ) -> Document:
        return page(
            store.list(TRIGGER, under=parent_of(project, location)), key="triggers", size=pageSize, token=pageToken
        )

    @routes.get(path + "/triggers/{trigger}")
    def get(project: str, trigger: str, location: str = "global") -> Document:
        return held(project, location, trigger)

    @routes.patch(path + "/triggers/{trigger}")
    def patch(project: str, trigger: str, body: JsonBody, location: str = "global") -> Document:
        before = held(project, location, trigger)
        check_trigger(body)
        kept = {key: before[key] for key in ("id", "resourceName", "createTime")}
        document = {"name": before["name"], **body, **kept}
        store.put(before["resourceName"], kind=TRIGGER, document=document)
        return document

    @routes.delete(path + "/triggers/{trigger}")
    def delete(project: str, trigger: str, location: str = "global") -> Document:
        store.delete(held(project, location, trigger)["resourceName"])
        return {}

    @routes.post(path + "/triggers/{trigger}:run")
    def run(project: str, trigger: str, body: JsonBody, location: str = "global") -> Document:
        """Global: the body is the RepoSource itself; regional: it is under `source`."""
        document = held(project, location, trigger)
        if document.get("disabled"):
            raise ApiError("FAILED_PRECONDITION", f"trigger {document['name']} is disabled")
        if "build" not in document:
            raise ApiError("FAILED_PRECONDITION", f"trigger {document['name']} has no inline build to run here")
        source = body.get("source", body)
        repo = {key: value for key, value in source.items() if key not in ("substitutions", "projectId", "triggerId")}
        if not repo:
            ref = document.get("sourceToBuild", {}).get("ref", "")
            repo = {"branchName": ref.removeprefix("refs/heads/")} if ref else {}
        substitutions = {**document.get("substitutions", {}), **source.get("substitutions", {})}
        build = {**document["build"], "source": {"repoSource": repo}, "substitutions": substitutions}
        if document.get("serviceAccount"):
            build["serviceAccount"] = document["serviceAccount"]
        return builds.submit(cloud.projects.id(project), fixed or location, build, trigger_id=document["id"])


def _add_connections(routes: APIRouter, cloud: LocalCloud) -> None:
    base = "/v2/projects/{project}/locations/{location}/connections"
    _add_collection(routes, cloud, base, "connection", CONNECTION, "Connection")
    _add_collection(routes, cloud, base + "/{parent}/repositories", "repository", CONNECTED, "Repository")


def _add_collection(routes: APIRouter, cloud: LocalCloud, base: str, noun: str, kind: str, type_: str) -> None:
    """Create, get, list, patch and delete of one v2 collection. parent: the connection of a repository."""
    store = cloud.store

    def collection(project: str, location: str, parent: str) -> str:
        place = f"projects/{cloud.projects.id(project)}/locations/{location}/connections"
        return f"{place}/{parent}/repositories" if parent else place

    def start(work: str, name: str, arguments: Document) -> Document:
        return cloud.operations.start(
            work,
            prefix="/".join(name.split("/")[:4]),
            arguments=arguments,
            metadata={"@type": f"{V2_TYPE}OperationMetadata"},
            response_type=f"{V2_TYPE}{type_}",
        )

    def held(name: str) -> Document:
        document = store.get(name)
        if document is None:
            raise ApiError("NOT_FOUND", f"Resource '{name}' was not found")
        return document

    @routes.post(base)
    def create(
        project: str,
        location: str,
        body: JsonBody,
        connectionId: str = "",  # noqa: N803
        repositoryId: str = "",  # noqa: N803
        parent: str = "",
    ) -> Document:
        wanted = repositoryId or connectionId
        if not wanted:
            raise invalid(f"{'repositoryId' if parent else 'connectionId'} must be given")
        name = f"{collection(project, location, parent)}/{wanted}"
        if parent:
            held(name.partition("/repositories/")[0])
        if store.get(name) is not None:
            raise ApiError("ALREADY_EXISTS", f"Resource '{name}' already exists")
        document = {**body, "name": name, "createTime": now(), "updateTime": now()}
        if kind == CONNECTION:
            document["installationState"] = {"stage": "COMPLETE"}
        return start("putConnection", name, {"document": document, "kind": kind})

    @routes.get(base)
    def list_(project: str, location: str, parent: str = "") -> Document:
        under = collection(project, location, parent)
        return page(
            store.list(kind, under=under), key="repositories" if parent else "connections", size=None, token=None
        )

    @routes.get(base + "/{" + noun + "}")
    def get(project: str, location: str, parent: str = "", connection: str = "", repository: str = "") -> Document:
        return held(f"{collection(project, location, parent)}/{repository or connection}")

    @routes.patch(base + "/{" + noun + "}")
    def patch(
        project: str, location: str, body: JsonBody, parent: str = "", connection: str = "", repository: str = ""
    ) -> Document:
        before = held(f"{collection(project, location, parent)}/{repository or connection}")
        document = {**before, **body, "name": before["name"], "updateTime": now()}
        return start("putConnection", before["name"], {"document": document, "kind": kind})

    @routes.delete(base + "/{" + noun + "}")
    def delete(project: str, location: str, parent: str = "", connection: str = "", repository: str = "") -> Document:
        name = held(f"{collection(project, location, parent)}/{repository or connection}")["name"]
        return start("dropConnection", name, {"name": name})
