"""Where a build's files come from: an archive in a bucket, or a commit of the repository the local cloud runs in.

Every repository that a trigger names stands for that one repository: there is no network to fetch another from.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid
from localcloud.storage import find_object
from localcloud.store import Document


class SourceFailed(Exception):
    """The source cannot be had; the message goes into the build's log."""


def fetch(cloud: LocalCloud, source: Document, workspace: Path) -> str:
    """Fills the workspace; returns a line that says with what."""
    if "storageSource" in source:
        return _from_bucket(cloud, source["storageSource"], workspace)
    if not source:
        return "no source"
    repository = source.get("repoSource") or source.get("gitSource") or source.get("connectedRepository") or {}
    wanted = next(
        (repository[key] for key in ("commitSha", "tagName", "branchName", "revision") if repository.get(key)), "HEAD"
    )
    return _from_git(str(wanted), workspace)


def _from_bucket(cloud: LocalCloud, source: Document, workspace: Path) -> str:
    bucket, name = source.get("bucket", ""), source.get("object", "")
    try:
        archive = find_object(cloud, bucket, name)
        with tarfile.open(archive) as files:
            files.extractall(workspace, filter="data")
    except ApiError as error:
        raise SourceFailed(f"could not fetch the source gs://{bucket}/{name}: {error.message}") from error
    except tarfile.TarError as error:
        raise SourceFailed(f"gs://{bucket}/{name} is no .tar.gz: {error}") from error
    return f"gs://{bucket}/{name}"


def _from_git(revision: str, workspace: Path) -> str:
    root = Path.cwd()
    if revision.startswith("-"):
        raise invalid(f"{revision!r} is no revision")
    out = subprocess.run(["git", "archive", "--format=tar", revision], cwd=root, capture_output=True, check=False)
    if out.returncode:
        raise SourceFailed(
            f"could not fetch {revision} of {root}: {out.stderr.decode(errors='replace').strip()}. "
            "The local cloud builds commits of the repository it was started in."
        )
    with tarfile.open(fileobj=io.BytesIO(out.stdout)) as files:
        files.extractall(workspace, filter="data")
    return f"{root} at {revision}"
