"""Keeps a sealed folder of plans in a bucket between two builds, where no CI keeps artefacts for them.

A kept plan is named by its seal's hash and is never overwritten. Knows a bucket; what is in the folder is the seal's.
"""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

from cdk.config import DeploymentConfig
from scripts.bootstrap import storage_client
from scripts.ci.seal import CURE, SealBroken

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def keep(folder: Path, config: DeploymentConfig, *, bucket: str, digest: str) -> str:
    """Uploads; returns the address. The same seal again changes nothing."""
    from google.api_core.exceptions import GoogleAPIError, PreconditionFailed

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    blob = storage_client(config).bucket(bucket).blob(_name(config, digest))
    try:
        blob.upload_from_string(packed.getvalue(), content_type="application/gzip", if_generation_match=0)
    except PreconditionFailed:
        pass  # kept already, by this name: it is the same
    except GoogleAPIError as error:
        raise SealBroken(f"The plan cannot be kept in gs://{bucket}: {error}") from error
    return f"gs://{bucket}/{blob.name}"


def fetch(folder: Path, config: DeploymentConfig, *, bucket: str, digest: str) -> None:
    """Puts a kept plan into the folder, which is emptied first. What it holds is not trusted before its seal is."""
    from google.api_core.exceptions import GoogleAPIError

    if not _DIGEST.fullmatch(digest):
        raise SealBroken(f"A seal is sha256: and 64 hexadecimal digits, got {digest!r}.")
    try:
        packed = storage_client(config).bucket(bucket).blob(_name(config, digest)).download_as_bytes()
    except GoogleAPIError as error:
        raise SealBroken(f"gs://{bucket} has no plan with seal {digest}: {error}. {CURE}") from error
    for path in sorted(folder.rglob("*"), reverse=True) if folder.exists() else []:
        path.unlink() if path.is_file() or path.is_symlink() else path.rmdir()
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")


def _name(config: DeploymentConfig, digest: str) -> str:
    return f"plans/{config.env}/{digest.removeprefix('sha256:')}.tar.gz"
