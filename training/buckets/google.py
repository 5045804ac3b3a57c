"""Cloud Storage, through Google's client, which heeds STORAGE_EMULATOR_HOST."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from training.buckets.bucket import BucketFailed

TIMEOUT_S = 120
# A new object under a name that one run alone writes: sending it twice does no harm.
RETRY = DEFAULT_RETRY.with_deadline(600.0)


class GoogleBucket:
    """Raises `BucketFailed`."""

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            self._bucket: Any = storage.Client().bucket(name)
        except (GoogleAuthError, OSError) as error:
            raise BucketFailed(f"gs://{name}: {error}") from error

    def names(self, prefix: str) -> list[str]:
        try:
            return sorted(blob.name for blob in self._bucket.list_blobs(prefix=prefix, timeout=TIMEOUT_S))
        except (GoogleAPIError, GoogleAuthError, OSError) as error:
            raise self._failed(prefix, error) from error

    def download(self, name: str, target: Path) -> None:
        try:
            self._bucket.blob(name).download_to_filename(str(target), timeout=TIMEOUT_S)
        except (GoogleAPIError, GoogleAuthError, OSError) as error:
            raise self._failed(name, error) from error

    def upload(self, source: Path, name: str) -> None:
        try:
            self._bucket.blob(name).upload_from_filename(str(source), timeout=TIMEOUT_S, retry=RETRY)
        except (GoogleAPIError, GoogleAuthError, OSError) as error:
            raise self._failed(name, error) from error

    def delete(self, name: str) -> None:
        try:
            self._bucket.blob(name).delete(timeout=TIMEOUT_S)
        except (GoogleAPIError, GoogleAuthError, OSError) as error:
            raise self._failed(name, error) from error

    def _failed(self, name: str, error: Exception) -> BucketFailed:
        return BucketFailed(f"gs://{self._name}/{name}: {error}")
