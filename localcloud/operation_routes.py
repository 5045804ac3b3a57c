"""Reading, waiting for, cancelling and deleting long-running operations, at every prefix that clients use.

Google's own clients poll Vertex AI operations at /ui/ (gapic over REST), /v1/ and /v1beta1/ (gcloud),
Cloud Run's at /v2/. Knows nothing of what an operation does.
"""

from __future__ import annotations

from fastapi import APIRouter

from localcloud.cloud import LocalCloud
from localcloud.errors import invalid
from localcloud.store import Document
from localcloud.wire import JsonBody, page

PREFIXES = ("/v1", "/v1beta1", "/ui", "/v2")
MAX_WAIT_S = 60.0


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    for prefix in PREFIXES:
        _add(routes, cloud, prefix)
        _add_global(routes, cloud, prefix)
    return routes


def _add(routes: APIRouter, cloud: LocalCloud, prefix: str) -> None:
    operations, canonical = cloud.operations, cloud.projects.canonical

    def show(document: Document) -> Document:
        """Vertex AI names projects by number; the others answer as they stored."""
        if "aiplatform" in document.get("metadata", {}).get("@type", ""):
            return {**document, "name": cloud.projects.numbered(document["name"])}
        return document

    @routes.post(prefix + "/{parent:path}/operations/{operation}:wait")
    def wait(parent: str, operation: str, body: JsonBody) -> Document:
        timeout_s = min(seconds(body.get("timeout", f"{MAX_WAIT_S:g}s")), MAX_WAIT_S)
        return show(operations.wait(canonical(f"{parent}/operations/{operation}"), timeout_s=timeout_s))

    @routes.post(prefix + "/{parent:path}/operations/{operation}:cancel")
    def cancel(parent: str, operation: str) -> Document:
        operations.cancel(canonical(f"{parent}/operations/{operation}"))
        return {}

    @routes.get(prefix + "/{parent:path}/operations/{operation}")
    def get(parent: str, operation: str) -> Document:
        return show(operations.get(canonical(f"{parent}/operations/{operation}")))

    @routes.delete(prefix + "/{parent:path}/operations/{operation}")
    def delete(parent: str, operation: str) -> Document:
        operations.delete(canonical(f"{parent}/operations/{operation}"))
        return {}

    @routes.get(prefix + "/{parent:path}/operations")
    def list_(parent: str, pageSize: str | None = None, pageToken: str | None = None) -> Document:  # noqa: N803
        found = [show(document) for document in operations.list(canonical(parent))]
        return page(found, key="operations", size=pageSize, token=pageToken)


def _add_global(routes: APIRouter, cloud: LocalCloud, prefix: str) -> None:
    @routes.post(prefix + "/operations/{operation:path}:cancel")  # Cloud Build: operations/build/{project}/{id}
    def cancel_global(operation: str) -> Document:
        cloud.operations.cancel(f"operations/{operation}")
        return {}

    @routes.get(prefix + "/operations/{operation:path}")
    def get_global(operation: str) -> Document:
        return cloud.operations.get(f"operations/{operation}")


def seconds(duration: object) -> float:
    """`"3600s"` -> 3600.0, the JSON form of google.protobuf.Duration."""
    text = str(duration)
    try:
        return float(text.removesuffix("s"))
    except ValueError as error:
        raise invalid(f"Invalid duration {text!r}: write seconds, as in '3600s'.") from error
