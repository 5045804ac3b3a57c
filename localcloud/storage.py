"""Cloud Storage's JSON API, as far as Terraform, builds and Google's client use it: buckets, objects, policies.

Objects' bytes are files below `buckets/`; everything said of them is in the store.
Source: Cloud Storage JSON API v1.
"""

from __future__ import annotations

import json
import re
import shutil

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from localcloud import uploads
from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid
from localcloud.objects import BUCKET, OBJECT, ConditionNotMet, bucket_key, generation_of, object_key, object_path
from localcloud.operations import now
from localcloud.policies import drop_policy, get_policy, set_policy
from localcloud.store import Document, Store
from localcloud.wire import JsonBody, page

SUMS = {"crc32c": "crc32c", "md5": "md5Hash"}  # as a download's header names them, by field
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    for prefix in ("/storage/v1", "/v1/storage/v1"):
        _add_buckets(routes, cloud, prefix)
        _add_policies(routes, cloud, prefix)
        _add_objects(routes, cloud, prefix)
    uploads.add(routes, cloud)
    return routes


def _bucket(store: Store, bucket: str) -> Document:
    found = store.get(bucket_key(bucket))
    if found is None:
        raise ApiError("NOT_FOUND", f"The specified bucket does not exist: {bucket}")
    return found


def _add_buckets(routes: APIRouter, cloud: LocalCloud, prefix: str) -> None:
    store = cloud.store

    @routes.post(prefix + "/b")
    def insert(project: str, body: JsonBody) -> Document:
        name = str(body.get("name", ""))
        if not _BUCKET_NAME.fullmatch(name):
            raise invalid(f"Invalid bucket name: {name!r}; 3 to 63 of a-z, 0-9, ., _ and -.")
        document = {
            "kind": "storage#bucket",
            "storageClass": "STANDARD",
            "location": "US",
            **{key: value for key, value in body.items() if value is not None},
            "id": name,
            "selfLink": f"{cloud.base_url}/storage/v1/b/{name}",
            "projectNumber": cloud.projects.number(project),
            "timeCreated": now(),
            "updated": now(),
            "metageneration": "1",
            "etag": "CAE=",
        }
        document["location"] = str(document["location"]).upper()
        with store.transaction():
            if store.get(bucket_key(name)) is not None:
                raise ApiError("ALREADY_EXISTS", "Your previous request to create the named bucket succeeded.")
            store.put(bucket_key(name), kind=BUCKET, document=document)
        return document

    @routes.get(prefix + "/b")
    def list_(project: str, maxResults: str | None = None, pageToken: str | None = None) -> Document:  # noqa: N803
        number = cloud.projects.number(project)
        found = [one for one in store.list(BUCKET) if one["projectNumber"] == number]
        return {"kind": "storage#buckets", **page(found, key="items", size=maxResults, token=pageToken)}

    @routes.get(prefix + "/b/{bucket}")
    def get(bucket: str) -> Document:
        return _bucket(store, bucket)

    @routes.patch(prefix + "/b/{bucket}")
    def patch(bucket: str, body: JsonBody) -> Document:
        """A null clears a field; labels are merged, and a null label is removed."""
        _bucket(store, bucket)

        def change(document: Document) -> None:
            for key, value in body.items():
                if value is None:
                    document.pop(key, None)
                elif key == "labels":
                    merged = {**document.get("labels", {}), **value}
                    document["labels"] = {name: text for name, text in merged.items() if text is not None}
                else:
                    document[key] = value
            document["metageneration"] = str(int(document["metageneration"]) + 1)
            document["updated"] = now()

        return store.update(bucket_key(bucket), change)

    @routes.delete(prefix + "/b/{bucket}", status_code=204)
    def delete(bucket: str) -> Response:
        with store.transaction():
            _bucket(store, bucket)
            if store.list(OBJECT, under=f"{bucket_key(bucket)}/o"):
                raise ApiError("ABORTED", "The bucket you tried to delete is not empty.")
            store.delete(bucket_key(bucket))
            drop_policy(store, bucket_key(bucket))
        shutil.rmtree(cloud.data_dir / "buckets" / bucket, ignore_errors=True)
        return Response(status_code=204)


def _add_policies(routes: APIRouter, cloud: LocalCloud, prefix: str) -> None:
    store = cloud.store

    @routes.get(prefix + "/b/{bucket}/iam")
    def get_iam(bucket: str) -> Document:
        _bucket(store, bucket)
        policy = get_policy(store, bucket_key(bucket))
        return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{bucket}", **policy}

    @routes.put(prefix + "/b/{bucket}/iam")
    def set_iam(bucket: str, body: JsonBody) -> Document:
        _bucket(store, bucket)
        try:
            return {"kind": "storage#policy", **set_policy(store, bucket_key(bucket), body)}
        except ApiError as error:  # Storage says 412 where the others say 409
            raise ConditionNotMet(error.message) from error


def _add_objects(routes: APIRouter, cloud: LocalCloud, prefix: str) -> None:
    store = cloud.store

    def held(bucket: str, name: str) -> Document:
        document = store.get(object_key(bucket, name))
        if document is None:
            raise ApiError("NOT_FOUND", f"No such object: {bucket}/{name}")
        return document

    @routes.get(prefix + "/b/{bucket}/o")
    def list_(
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        maxResults: str | None = None,  # noqa: N803
        pageToken: str | None = None,  # noqa: N803
    ) -> Document:
        """With a delimiter, names that go on after it are told once, as `prefixes`."""
        _bucket(store, bucket)
        items, folders = [], set()
        for one in sorted(store.list(OBJECT, under=f"{bucket_key(bucket)}/o"), key=lambda one: str(one["name"])):
            name = str(one["name"])
            if not name.startswith(prefix):
                continue
            head, found, _ = name.removeprefix(prefix).partition(delimiter) if delimiter else (name, "", "")
            if found:
                folders.add(f"{prefix}{head}{delimiter}")
            else:
                items.append(one)
        answer = {"kind": "storage#objects", **page(items, key="items", size=maxResults, token=pageToken)}
        return answer | ({"prefixes": sorted(folders)} if folders else {})

    # `name:path`: a slash in an object's name arrives as %2F, and decoded by then.
    @routes.get(prefix + "/b/{bucket}/o/{name:path}")
    @routes.get("/download" + prefix + "/b/{bucket}/o/{name:path}")
    def get(bucket: str, name: str, request: Request, alt: str = "json") -> Response:
        document = held(bucket, name)
        if alt == "media" or request.url.path.startswith("/download"):
            sums = ",".join(f"{kind}={document[key]}" for kind, key in SUMS.items() if key in document)
            headers = {"X-Goog-Hash": sums, "X-Goog-Generation": str(document["generation"])}
            return FileResponse(object_path(cloud, bucket, name), media_type=document["contentType"], headers=headers)
        return Response(json.dumps(document), media_type="application/json")

    @routes.patch(prefix + "/b/{bucket}/o/{name:path}")
    def patch(bucket: str, name: str, body: JsonBody) -> Document:
        """A null clears a field; what the bytes decide stays."""
        held(bucket, name)
        changed: Document = {key: body[key] for key in ("metadata", "contentType", "cacheControl") if key in body}

        def change(document: Document) -> None:
            document.update(changed, updated=now(), metageneration=str(int(document["metageneration"]) + 1))
            for key in [key for key, value in changed.items() if value is None]:
                del document[key]

        return store.update(object_key(bucket, name), change)

    @routes.delete(prefix + "/b/{bucket}/o/{name:path}", status_code=204)
    def delete(bucket: str, name: str, ifGenerationMatch: str | None = None) -> Response:  # noqa: N803
        with store.transaction():
            held(bucket, name)
            if ifGenerationMatch not in (None, generation_of(cloud, bucket, name)):
                raise ConditionNotMet
            store.delete(object_key(bucket, name))
            object_path(cloud, bucket, name).unlink(missing_ok=True)
        return Response(status_code=204)
