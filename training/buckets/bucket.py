"""What a bucket of either cloud can do, and how it fails. Knows neither cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Bucket(Protocol):
    """A bucket of either cloud. Names are whole, such as `run/model/config.json`."""

    def names(self, prefix: str) -> list[str]:
        """Every object's name that begins so, in order."""

    def download(self, name: str, target: Path) -> None: ...

    def upload(self, source: Path, name: str) -> None: ...

    def delete(self, name: str) -> None: ...


class BucketFailed(Exception):
    """A bucket cannot be read or written; the message says which, and what it answered."""
