"""Cloud Storage's JSON API, as far as Terraform, builds and Google's client use it: buckets, objects, policies.

Objects' bytes are files below `buckets/`; everything said of them is in the store.
Source: Cloud Storage JSON API v1.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from pathlib import Path
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid, not_found
from localcloud.operations import now
from localcloud.policies import drop_policy, get_policy, set_policy
from localcloud.store import Document, Store
from localcloud.wire import JsonBody, page

BUCKET, OBJECT = "bucket", "object"
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


def bucket_key(bucket: str) -> str:
    return f"b/{bucket}"


def object_key(bucket: str, name: str) -> str:
    return f"b/{bucket}/o/{name}"


def object_path(cloud: LocalCloud, bucket: str, name: str) -> Path:
    """Where an object's bytes are: a flat file, whatever slashes its name has."""
    return cloud.data_dir / "buckets" / bucket / hashlib.sha256(name.encode()).hexdigest()


def find_object(cloud: LocalCloud, bucket: str, name: str) -> Path:
    """The file of an object. ApiError NOT_FOUND when there is none."""
    if cloud.store.get(object_key(bucket, name)) is None:
        raise ApiError("NOT_FOUND", f"No such object: {bucket}/{name}")
    return object_path(cloud, bucket, name)


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    for prefix in ("/storage/v1", "/v1/storage/v1"):
        _add_buckets(routes, cloud, prefix)
        _add_policies(routes, cloud, prefix)
        _add_objects(routes, cloud, prefix)
    _add_uploads(routes, cloud)
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
        folder = cloud.data_dir / "buckets" / bucket
        if folder.exists():
            folder.rmdir()
        return Response(status_code=204)


def _add_policies(routes: APIRouter, cloud: LocalCloud, prefix: str) -> None:
    store = cloud.store

    @routes.get(prefix + "/b/{bucket}/iam")
    def get_iam(bucket: str) -> Document:
        _bucket(store, bucket)
        policy = get_policy(store, bucket_key(bucket))
        return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{bucket}", **policy}

    @routes.put(prefix + "/b/{bucket}/iam")
    def set_iam(bucket: str, body: JsonBody) -> Response:
        _bucket(store, bucket)
        try:
            policy = set_policy(store, bucket_key(bucket), body)
        except ApiError as error:  # Storage says 412 where the others say 409
            answer = {"error": {"code": 412, "message": error.message, "status": "FAILED_PRECONDITION"}}
            return Response(json.dumps(answer), status_code=412, media_type="application/json")
        return Response(json.dumps({"kind": "storage#policy", **policy}), media_type="application/json")


def _add_objects(routes: APIRouter, cloud: LocalCloud, prefix: str) -> None:
    store = cloud.store

    @routes.get(prefix + "/b/{bucket}/o")
    def list_(
        bucket: str,
        prefix: str = "",
        maxResults: str | None = None,  # noqa: N803
        pageToken: str | None = None,  # noqa: N803
    ) -> Document:
        _bucket(store, bucket)
        found = [
            one for one in store.list(OBJECT, under=f"{bucket_key(bucket)}/o") if str(one["name"]).startswith(prefix)
        ]
        return {"kind": "storage#objects", **page(found, key="items", size=maxResults, token=pageToken)}

    # `name:path`: a slash in an object's name arrives as %2F, and decoded by then.
    @routes.get(prefix + "/b/{bucket}/o/{name:path}")
    @routes.get("/download" + prefix + "/b/{bucket}/o/{name:path}")
    def get(bucket: str, name: str, request: Request, alt: str = "json") -> Response:
        document = store.get(object_key(bucket, name))
        if document is None:
            raise ApiError("NOT_FOUND", f"No such object: {bucket}/{name}")
        if alt == "media" or request.url.path.startswith("/download"):
            return FileResponse(object_path(cloud, bucket, name), media_type=document["contentType"])
        return Response(json.dumps(document), media_type="application/json")

    @routes.delete(prefix + "/b/{bucket}/o/{name:path}", status_code=204)
    def delete(bucket: str, name: str) -> Response:
        if not store.delete(object_key(bucket, name)):
            raise ApiError("NOT_FOUND", f"No such object: {bucket}/{name}")
        object_path(cloud, bucket, name).unlink(missing_ok=True)
        return Response(status_code=204)


def _add_uploads(routes: APIRouter, cloud: LocalCloud) -> None:
    started: dict[str, tuple[str, Document]] = {}  # resumable sessions: id -> bucket, metadata

    @routes.post("/upload/storage/v1/b/{bucket}/o")
    @routes.post("/resumable/upload/storage/v1/b/{bucket}/o")
    async def upload(bucket: str, request: Request, uploadType: str, name: str = "") -> Response:  # noqa: N803
        _bucket(cloud.store, bucket)
        body = await request.body()
        kind = request.headers.get("Content-Type", "application/octet-stream")
        if uploadType == "resumable":
            metadata: Document = json.loads(body) if body else {}
            session = uuid.uuid4().hex
            started[session] = (bucket, {"name": name or metadata.get("name", ""), **metadata})
            place = f"{cloud.base_url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={session}"
            return Response(headers={"Location": place})
        if uploadType == "multipart":
            metadata, body = _multipart(body, kind)
            kind = metadata.get("contentType", "application/octet-stream")
            name = name or metadata.get("name", "")
        elif uploadType != "media":
            raise invalid(f"Invalid uploadType {uploadType!r}: media, multipart or resumable.")
        return _stored(cloud, bucket, unquote(name), body, kind)

    @routes.put("/upload/storage/v1/b/{bucket}/o")
    async def resume(bucket: str, request: Request, upload_id: str) -> Response:
        if upload_id not in started:
            raise not_found(f"upload {upload_id}")
        into, metadata = started[upload_id]
        answer = _stored(cloud, into, metadata["name"], await request.body(), metadata.get("contentType", ""))
        del started[upload_id]
        return answer


def _multipart(body: bytes, content_type: str) -> tuple[Document, bytes]:
    """Metadata and bytes of a multipart/related upload."""
    found = re.search(r"boundary=['\"]?([^'\";]+)", content_type)
    parts = body.split(b"--" + found.group(1).encode()) if found else []
    if len(parts) < 3:
        raise invalid("A multipart upload needs a boundary, a JSON part and a part of bytes.")
    heads = [part.lstrip(b"\r\n").partition(b"\r\n\r\n") for part in parts[1:3]]
    return json.loads(heads[0][2]), heads[1][2].removesuffix(b"\r\n")


def _stored(cloud: LocalCloud, bucket: str, name: str, content: bytes, content_type: str) -> Response:
    if not name:
        raise invalid("Required parameter: name")
    path = object_path(cloud, bucket, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    generation = str(uuid.uuid4().int % 10**16)
    document = {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{generation}",
        "name": name,
        "bucket": bucket,
        "generation": generation,
        "metageneration": "1",
        "contentType": content_type or "application/octet-stream",
        "storageClass": "STANDARD",
        "size": str(len(content)),
        "md5Hash": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "timeCreated": now(),
        "updated": now(),
    }
    cloud.store.put(object_key(bucket, name), kind=OBJECT, document=document)
    return Response(json.dumps(document), media_type="application/json")
