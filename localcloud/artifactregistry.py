"""Artifact Registry v1: Docker repositories, and the images, versions and tags that builds pushed into them.

Images are the image store's; a repository's document is here.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid, not_found
from localcloud.operations import RunningOperation, now
from localcloud.policies import drop_policy, get_policy, set_policy
from localcloud.store import Document
from localcloud.wire import JsonBody, page, update_mask

KIND = "repository"
TYPE = "type.googleapis.com/google.devtools.artifactregistry.v1."
PLACE = "projects/{project}/locations/{location}"
METADATA = {"@type": f"{TYPE}OperationMetadata"}


def repository_path(name: str) -> str:
    """`projects/P/locations/L/repositories/R` -> `L-docker.pkg.dev/P/R`."""
    _, project, _, location, _, repository = name.split("/")
    return f"{location}-docker.pkg.dev/{project}/{repository}"


def register(cloud: LocalCloud) -> None:
    def create(running: RunningOperation) -> Document:
        running.stage()
        document: Document = running.arguments["document"]
        cloud.store.put(document["name"], kind=KIND, document=document)
        return document

    def delete(running: RunningOperation) -> Document:
        running.stage()
        name = running.arguments["name"]
        cloud.images.remove_repository(repository_path(name))
        cloud.store.delete(name)
        drop_policy(cloud.store, name)
        return {}

    def sweep() -> None:
        """At the start, when no build is on its way: folders of images that nothing has or needs any more."""
        versions, services = cloud.store.list("model_version"), cloud.store.list("service")
        needed = {one.get("_digest") for one in versions} | {one.get("_serving", {}).get("digest") for one in services}
        cloud.images.sweep(keep={digest for digest in needed if digest})

    cloud.starters.append(sweep)
    cloud.operations.register("createRepository", create)
    cloud.operations.register("deleteRepository", delete)


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    _add_repositories(routes, cloud)
    _add_images(routes, cloud)
    _add_packages(routes, cloud)
    return routes


def _held(cloud: LocalCloud, project: str, location: str, repository: str) -> Document:
    name = f"projects/{cloud.projects.id(project)}/locations/{location}/repositories/{repository}"
    document = cloud.store.get(name)
    if document is None:
        raise ApiError("NOT_FOUND", f'Repository "{name}" not found.')
    return document


def _add_repositories(routes: APIRouter, cloud: LocalCloud) -> None:
    store, base = cloud.store, f"/v1/{PLACE}/repositories"

    @routes.post(base)
    def create(project: str, location: str, repositoryId: str, body: JsonBody) -> Document:  # noqa: N803
        parent = f"projects/{cloud.projects.id(project)}/locations/{location}"
        name = f"{parent}/repositories/{repositoryId}"
        if not body.get("format"):
            raise invalid("format must be given, such as DOCKER.")
        if store.get(name) is not None:
            raise ApiError("ALREADY_EXISTS", "the repository already exists")
        document = {"mode": "STANDARD_REPOSITORY", **body, "name": name, "createTime": now(), "updateTime": now()}
        document["registryUri"] = repository_path(name)
        return cloud.operations.start(
            "createRepository",
            prefix=parent,
            arguments={"document": document},
            metadata=dict(METADATA),
            response_type=f"{TYPE}Repository",
        )

    @routes.get(base)
    def list_(project: str, location: str, pageSize: str | None = None, pageToken: str | None = None) -> Document:  # noqa: N803
        parent = f"projects/{cloud.projects.id(project)}/locations"
        found = store.list(KIND, under=parent if location == "-" else f"{parent}/{location}/repositories")
        return page(found, key="repositories", size=pageSize, token=pageToken)

    @routes.get(base + "/{repository}:getIamPolicy")
    def get_iam(project: str, location: str, repository: str) -> Document:
        return get_policy(store, _held(cloud, project, location, repository)["name"])

    @routes.post(base + "/{repository}:setIamPolicy")
    def set_iam(project: str, location: str, repository: str, body: JsonBody) -> Document:
        return set_policy(store, _held(cloud, project, location, repository)["name"], body.get("policy", {}))

    @routes.get(base + "/{repository}")
    def get(project: str, location: str, repository: str) -> Document:
        return _held(cloud, project, location, repository)

    @routes.patch(base + "/{repository}")
    def patch(project: str, location: str, repository: str, body: JsonBody, updateMask: str | None = None) -> Document:  # noqa: N803
        name = _held(cloud, project, location, repository)["name"]
        heads = {field.partition(".")[0] for field in update_mask(updateMask) or list(body)}

        def change(document: Document) -> None:
            for field in heads:
                document.pop(field, None)
                if field in body:
                    document[field] = body[field]
            document["updateTime"] = now()

        return store.update(name, change)

    @routes.delete(base + "/{repository}")
    def delete(project: str, location: str, repository: str) -> Document:
        name = _held(cloud, project, location, repository)["name"]
        return cloud.operations.start(
            "deleteRepository",
            prefix=name.rpartition("/repositories/")[0],
            arguments={"name": name},
            metadata=dict(METADATA),
        )


def _add_images(routes: APIRouter, cloud: LocalCloud) -> None:
    base = f"/v1/{PLACE}/repositories/{{repository}}/dockerImages"

    def shown(project: str, location: str, repository: str) -> list[Document]:
        name = _held(cloud, project, location, repository)["name"]
        path = repository_path(name)
        return [
            _docker_image(name, f"{path}/{package}", package, digest, version, held["tags"])
            for package, held in cloud.images.packages(path).items()
            for digest, version in held["versions"].items()
        ]

    @routes.get(base)
    def list_(
        project: str,
        location: str,
        repository: str,
        pageSize: str | None = None,  # noqa: N803
        pageToken: str | None = None,  # noqa: N803
    ) -> Document:
        return page(shown(project, location, repository), key="dockerImages", size=pageSize, token=pageToken)

    @routes.get(base + "/{image:path}")
    def get(project: str, location: str, repository: str, image: str) -> Document:
        for one in shown(project, location, repository):
            if one["name"].rpartition("/dockerImages/")[2] == image:
                return one
        raise not_found(image)


def _docker_image(
    repository: str, path: str, package: str, digest: str, version: dict[str, Any], tags: dict[str, str]
) -> Document:
    return {
        "name": f"{repository}/dockerImages/{package}@{digest}",
        "uri": f"{path}@{digest}",
        "tags": sorted(tag for tag, held in tags.items() if held == digest),
        "imageSizeBytes": str(version["size"]),
        "uploadTime": version["uploadTime"],
        "updateTime": version["updateTime"],
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    }


def _add_packages(routes: APIRouter, cloud: LocalCloud) -> None:
    """packages/{package}: `package:path`, because a slash in an image's name arrives as %2F, decoded by then."""
    base = f"/v1/{PLACE}/repositories/{{repository}}/packages"

    def held(project: str, location: str, repository: str, package: str) -> tuple[str, str, dict[str, Any]]:
        name = _held(cloud, project, location, repository)["name"]
        found = cloud.images.packages(repository_path(name)).get(package)
        if found is None:
            raise not_found(f"{name}/packages/{package}")
        return f"{name}/packages/{package}", f"{repository_path(name)}/{package}", found

    @routes.get(base + "/{package:path}/tags/{tag}")
    def get_tag(project: str, location: str, repository: str, package: str, tag: str) -> Document:
        name, _, found = held(project, location, repository, package)
        if tag not in found["tags"]:
            raise not_found(f"{name}/tags/{tag}")
        return {"name": f"{name}/tags/{tag}", "version": f"{name}/versions/{found['tags'][tag]}"}

    @routes.get(base + "/{package:path}/tags")
    def list_tags(project: str, location: str, repository: str, package: str) -> Document:
        name, _, found = held(project, location, repository, package)
        tags = [
            {"name": f"{name}/tags/{tag}", "version": f"{name}/versions/{digest}"}
            for tag, digest in sorted(found["tags"].items())
        ]
        return page(tags, key="tags", size=None, token=None)

    @routes.delete(base + "/{package:path}/tags/{tag}")
    def delete_tag(project: str, location: str, repository: str, package: str, tag: str) -> Document:
        name, path, _ = held(project, location, repository, package)
        if not cloud.images.untag(path, tag):
            raise not_found(f"{name}/tags/{tag}")
        return {}

    @routes.get(base + "/{package:path}/versions/{digest}")
    def get_version(project: str, location: str, repository: str, package: str, digest: str) -> Document:
        name, _, found = held(project, location, repository, package)
        if digest not in found["versions"]:
            raise not_found(f"{name}/versions/{digest}")
        return _version(name, digest, found)

    @routes.get(base + "/{package:path}/versions")
    def list_versions(project: str, location: str, repository: str, package: str) -> Document:
        name, _, found = held(project, location, repository, package)
        return page(
            [_version(name, digest, found) for digest in found["versions"]], key="versions", size=None, token=None
        )

    @routes.delete(base + "/{package:path}/versions/{digest}")
    def delete_version(
        project: str, location: str, repository: str, package: str, digest: str, force: bool = False
    ) -> Document:
        name, path, found = held(project, location, repository, package)
        if digest in found["tags"].values() and not force:
            raise ApiError("FAILED_PRECONDITION", f"{digest} is tagged; delete its tags first, or use force.")
        if not cloud.images.remove_version(path, digest):
            raise not_found(f"{name}/versions/{digest}")
        return _done(cloud, name)

    @routes.get(base + "/{package:path}")  # after its tags and versions: a package's name may have slashes
    def get_package(project: str, location: str, repository: str, package: str) -> Document:
        return {"name": held(project, location, repository, package)[0]}

    @routes.delete(base + "/{package:path}")
    def delete_package(project: str, location: str, repository: str, package: str) -> Document:
        name, path, _ = held(project, location, repository, package)
        cloud.images.remove_package(path)
        return _done(cloud, name)

    @routes.get(base)
    def list_packages(project: str, location: str, repository: str) -> Document:
        name = _held(cloud, project, location, repository)["name"]
        packages = [{"name": f"{name}/packages/{one}"} for one in sorted(cloud.images.packages(repository_path(name)))]
        return page(packages, key="packages", size=None, token=None)


def _version(package: str, digest: str, held: dict[str, Any]) -> Document:
    version = held["versions"][digest]
    tags = [{"name": f"{package}/tags/{tag}"} for tag, held_digest in held["tags"].items() if held_digest == digest]
    return {
        "name": f"{package}/versions/{digest}",
        "createTime": version["uploadTime"],
        "updateTime": version["updateTime"],
        **({"relatedTags": tags} if tags else {}),
    }


def _done(cloud: LocalCloud, name: str) -> Document:
    return cloud.operations.done(
        prefix=name.partition("/repositories/")[0],
        response={},
        response_type="type.googleapis.com/google.protobuf.Empty",
        metadata=dict(METADATA),
    )
