"""Uploads to Cloud Storage: at once, in two parts, or in pieces that go on where they were cut off.

Bytes go to a file as they come; only a multipart upload is read whole, for it is small.
Source: Cloud Storage JSON API v1, "Uploads and downloads", "Resumable uploads".
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, Request, Response

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid, not_found
from localcloud.objects import bucket_key, put_object
from localcloud.store import Document

SESSION = "upload"
_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")


def add(routes: APIRouter, cloud: LocalCloud) -> None:
    @routes.post("/upload/storage/v1/b/{bucket}/o")
    @routes.post("/resumable/upload/storage/v1/b/{bucket}/o")
    async def upload(
        bucket: str,
        request: Request,
        uploadType: str,  # noqa: N803
        name: str = "",
        ifGenerationMatch: str | None = None,  # noqa: N803
    ) -> Response:
        if cloud.store.get(bucket_key(bucket)) is None:
            raise ApiError("NOT_FOUND", f"The specified bucket does not exist: {bucket}")
        named: Document = {"name": name} if name else {}
        if uploadType == "resumable":
            return _begin(cloud, bucket, await _metadata(request) | named, ifGenerationMatch)
        file = _fresh(cloud)
        try:
            if uploadType == "multipart":
                wanted, content = _parts(await request.body(), request.headers.get("Content-Type", ""))
                file.write_bytes(content)
            elif uploadType == "media":
                wanted = {"contentType": request.headers.get("Content-Type")}
                await _append(request, file)
            else:
                raise invalid(f"Invalid uploadType {uploadType!r}: media, multipart or resumable.")
            return await _finish(cloud, bucket, file, wanted | named, ifGenerationMatch)
        finally:
            file.unlink(missing_ok=True)

    @routes.put("/upload/storage/v1/b/{bucket}/o")
    async def resume(
        bucket: str, request: Request, upload_id: str, content_range: Annotated[str | None, Header()] = None
    ) -> Response:
        session = cloud.store.get(f"{SESSION}/{upload_id}")
        if session is None or session["bucket"] != bucket:
            raise not_found(f"upload {upload_id}")
        file = cloud.data_dir / "uploads" / upload_id
        file.touch()
        total = await _continue(request, file, content_range)
        size = file.stat().st_size
        if total is None or size < total:
            return Response(status_code=308, headers={"Range": f"bytes=0-{size - 1}"} if size else {})
        answer = await _finish(cloud, bucket, file, session["wanted"], session["if_generation"])
        cloud.store.delete(f"{SESSION}/{upload_id}")
        return answer


def _fresh(cloud: LocalCloud) -> Path:
    folder = cloud.data_dir / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / uuid.uuid4().hex


async def _metadata(request: Request) -> Document:
    raw = await request.body()
    try:
        metadata = json.loads(raw) if raw else {}
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    kind = request.headers.get("X-Upload-Content-Type")
    return {**({"contentType": kind} if kind else {}), **metadata}


def _begin(cloud: LocalCloud, bucket: str, wanted: Document, if_generation: str | None) -> Response:
    """The session outlives a restart of the local cloud, as Google's outlive a week."""
    file = _fresh(cloud)
    document = {"bucket": bucket, "wanted": wanted, "if_generation": if_generation}
    cloud.store.put(f"{SESSION}/{file.name}", kind=SESSION, document=document)
    place = f"{cloud.base_url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={file.name}"
    return Response(headers={"Location": place})


async def _continue(request: Request, file: Path, content_range: str | None) -> int | None:
    """Takes one piece; returns the size of the whole where it is known.

    Without a range the body is all that is left; `bytes */N` only asks how much has arrived.
    """
    if content_range is None:
        await _append(request, file)
        return file.stat().st_size
    found = _RANGE.fullmatch(content_range)
    if found is None:
        raise invalid(f"Invalid Content-Range {content_range!r}: `bytes 0-9/100`, `bytes 0-9/*` or `bytes */100`.")
    if found["first"] is not None:
        first, size = int(found["first"]), file.stat().st_size
        if first > size:
            raise invalid(f"Content-Range {content_range!r} leaves a gap: {size} bytes have arrived.")
        with file.open("r+b") as held:  # a piece that is sent again replaces what had arrived of it
            held.truncate(first)
        await _append(request, file)
    return None if found["total"] == "*" else int(found["total"])


async def _append(request: Request, file: Path) -> None:
    with file.open("ab") as out:
        async for piece in request.stream():
            out.write(piece)


async def _finish(cloud: LocalCloud, bucket: str, file: Path, wanted: Document, if_generation: str | None) -> Response:
    document = await anyio.to_thread.run_sync(
        lambda: put_object(cloud, bucket, file, wanted, if_generation=if_generation)
    )
    return Response(json.dumps(document), media_type="application/json")


def _parts(body: bytes, content_type: str) -> tuple[Document, bytes]:
    """Metadata and bytes of a multipart/related upload."""
    found = re.search(r"boundary=['\"]?([^'\";]+)", content_type)
    parts = body.split(b"--" + found.group(1).encode()) if found else []
    if len(parts) < 3:
        raise invalid("A multipart upload needs a boundary, a JSON part and a part of bytes.")
    heads = [part.lstrip(b"\r\n").partition(b"\r\n\r\n") for part in parts[1:3]]
    try:
        metadata: Document = json.loads(heads[0][2])
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    kind = re.search(rb"(?i)content-type:\s*([^\r\n]+)", heads[1][0])
    given = {"contentType": kind.group(1).decode()} if kind else {}
    return {**given, **metadata}, heads[1][2].removesuffix(b"\r\n")
