"""Fetches a model folder out of Cloud Storage: what Vertex AI names in AIP_STORAGE_URI.

Google's client checks each file's sum, tries again what may pass, and heeds STORAGE_EMULATOR_HOST. Knows no tensors, no
HTTP server. The client is imported in here: it takes a second, and only a deployment with an artifact needs it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.folder import Progress

log = logging.getLogger(__name__)

NUM_STREAMS = 8  # files at once; one stream alone does not fill a cloud machine's network
TIMEOUT_S = 300.0  # for a piece of a file, not for all of it
_URI = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,61}[a-z0-9])/?(?P<folder>.*)")


def fetch(uri: str, folder: Path, *, progress: Progress) -> None:
    """Writes the files right below the URI into the folder. Raises `CheckpointError`.

    uri: `gs://BUCKET/FOLDER`. Folders inside it, such as a training's checkpoints, are not the model's and stay there.
    """
    found = _URI.fullmatch(uri)
    if found is None:
        raise CheckpointError(
            f"AIP_STORAGE_URI is {uri!r}; it must be a folder in Cloud Storage, as gs://BUCKET/FOLDER"
        )
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage
    from google.cloud.storage.exceptions import DataCorruption

    prefix = found["folder"].strip("/") + "/" if found["folder"].strip("/") else ""
    try:
        listed = storage.Client().list_blobs(found["bucket"], prefix=prefix, delimiter="/", timeout=TIMEOUT_S)
        blobs = [blob for blob in listed if not blob.name.endswith("/")]
        if not blobs:
            raise CheckpointError(f"{uri} has no file: the model's artifact_uri must be the folder with config.json")
        progress.enter(f"fetching {uri}", total_bytes=sum(blob.size for blob in blobs))
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(NUM_STREAMS) as streams:
            list(streams.map(lambda blob: _download(blob, folder / Path(blob.name).name, progress.advance), blobs))
    except DataCorruption as error:
        raise CheckpointError(
            f"{uri} arrived with wrong bytes: {error}. Start again; if it stays so, write it anew"
        ) from error
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise CheckpointError(
            f"{uri} cannot be fetched: {error}. The container's identity must be allowed to read that bucket "
            "(roles/storage.objectViewer)"
        ) from error
    log.info("fetched %d files of %s", len(blobs), uri)


def _download(blob: Any, target: Path, count: Callable[[int], None]) -> None:
    """One file, whole or not at all under its name."""
    part = target.with_name(f"{target.name}.part")
    with part.open("wb") as file:
        blob.download_to_file(_Counted(file, count), timeout=TIMEOUT_S)
    if part.stat().st_size != blob.size:
        raise CheckpointError(f"{blob.name} has {part.stat().st_size} bytes of {blob.size}: it changed meanwhile")
    part.replace(target)


class _Counted:
    """A file that tells how many bytes were written to it; what the client asks of one, and no more."""

    def __init__(self, file: IO[bytes], count: Callable[[int], None]) -> None:
        self._file, self._count = file, count

    def write(self, piece: bytes) -> int:
        self._count(len(piece))
        return self._file.write(piece)

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def flush(self) -> None:
        self._file.flush()
