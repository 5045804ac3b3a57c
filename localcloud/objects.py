"""What an object of Cloud Storage is: a document in the store, and a file of bytes below `buckets/`.

Knows nothing of HTTP, save that a condition which is not met is a 412.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid
from localcloud.operations import now
from localcloud.store import Document

BUCKET, OBJECT = "bucket", "object"
_PIECE_BYTES = 1024 * 1024


class ConditionNotMet(ApiError):
    """What other services call ABORTED or FAILED_PRECONDITION is 412 in Storage."""

    def __init__(self, message: str = "At least one of the pre-conditions you specified did not hold.") -> None:
        super().__init__("FAILED_PRECONDITION", message)

    @property
    def http_status(self) -> int:
        return 412


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


def generation_of(cloud: LocalCloud, bucket: str, name: str) -> str:
    """`0` when there is no such object, as ifGenerationMatch has it."""
    document = cloud.store.get(object_key(bucket, name))
    return "0" if document is None else str(document["generation"])


def put_object(cloud: LocalCloud, bucket: str, file: Path, wanted: Document, *, if_generation: str | None) -> Document:
    """Takes the file over as an object's bytes. wanted: `name`, and `contentType` and `metadata` where given.

    The whole object is there, or the one before it: never a part. ConditionNotMet as `if_generation` says.
    """
    name = str(wanted.get("name") or "")
    if not name:
        raise invalid("Required parameter: name")
    sums = _checksums(file)
    path = object_path(cloud, bucket, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with cloud.store.transaction():
        if if_generation not in (None, generation_of(cloud, bucket, name)):
            raise ConditionNotMet
        generation = str(time.time_ns() // 1000)
        address = f"{cloud.base_url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        document = {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{generation}",
            "selfLink": address,
            "mediaLink": f"{address}?generation={generation}&alt=media",
            "name": name,
            "bucket": bucket,
            "generation": generation,
            "metageneration": "1",
            "contentType": wanted.get("contentType") or "application/octet-stream",
            "storageClass": "STANDARD",
            "size": str(file.stat().st_size),
            **sums,
            "etag": generation,
            "timeCreated": now(),
            "updated": now(),
            **({"metadata": wanted["metadata"]} if wanted.get("metadata") else {}),
        }
        file.replace(path)
        cloud.store.put(object_key(bucket, name), kind=OBJECT, document=document)
    return document


def _checksums(file: Path) -> Document:
    md5 = hashlib.md5(usedforsecurity=False)
    crc = _crc32c()
    with file.open("rb") as content:
        while piece := content.read(_PIECE_BYTES):
            md5.update(piece)
            if crc is not None:
                crc.update(piece)
    sums = {"md5Hash": base64.b64encode(md5.digest()).decode()}
    if crc is not None:
        sums["crc32c"] = base64.b64encode(crc.digest()).decode()
    return sums


def _crc32c() -> Any:
    """The sum that Google's client asks of large uploads. None without its package: then it wants `checksum="md5"`."""
    try:
        return importlib.import_module("google_crc32c").Checksum()
    except ImportError:
        return None
