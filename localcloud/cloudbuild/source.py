"""Where a build's files come from: an archive in a bucket, or a commit of the repository the local cloud runs in.

Every repository that a trigger names stands for that one repository: there is no network to fetch another from.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid
from localcloud.objects import find_object
from localcloud.store import Document


class SourceFailed(Exception):
    """The source cannot be had; the message goes into the build's log."""


@dataclass(frozen=True)
class Fetched:
    """what: for the log. folder: in the workspace, where steps run. built_in: substitutions that the source gives."""

    what: str
    folder: str = ""
    built_in: dict[str, str] = field(default_factory=dict)


def fetch(cloud: LocalCloud, source: Document, workspace: Path) -> Fetched:
    """Fills the workspace. SourceFailed when the source cannot be had."""
    if "storageSource" in source:
        return _from_bucket(cloud, source["storageSource"], workspace)
    if not source:
        return Fetched("no source")
    repository = source.get("repoSource") or source.get("gitSource") or source.get("connectedRepository") or {}
    return _from_git(repository, workspace)


def _from_bucket(cloud: LocalCloud, source: Document, workspace: Path) -> Fetched:
    bucket, name = source.get("bucket", ""), source.get("object", "")
    try:
        archive = find_object(cloud, bucket, name)
        with tarfile.open(archive) as files:
            files.extractall(workspace, filter="data")
    except ApiError as error:
        raise SourceFailed(f"could not fetch the source gs://{bucket}/{name}: {error.message}") from error
    except (tarfile.TarError, EOFError) as error:
        raise SourceFailed(f"gs://{bucket}/{name} is no .tar.gz: {error}") from error
    return Fetched(f"gs://{bucket}/{name}")


def _from_git(repository: Document, workspace: Path) -> Fetched:
    root = Path.cwd()
    keys = ("commitSha", "tagName", "branchName", "revision")
    revision = str(next((repository[key] for key in keys if repository.get(key)), "HEAD"))
    if revision.startswith("-"):
        raise invalid(f"{revision!r} is no revision")
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", root=root, revision=revision).strip()
    archive = _git("archive", "--format=tar", commit.decode(), root=root, revision=revision)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(workspace, filter="data")
    built_in = {
        "COMMIT_SHA": commit.decode(),
        "REVISION_ID": commit.decode(),
        "SHORT_SHA": commit.decode()[:7],
        "REPO_NAME": root.name,
        "BRANCH_NAME": repository.get("branchName", ""),
        "TAG_NAME": repository.get("tagName", ""),
        "REF_NAME": repository.get("branchName") or repository.get("tagName") or "",
    }
    return Fetched(f"{root} at {revision}", str(repository.get("dir", "")), built_in)


def _git(*words: str, root: Path, revision: str) -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except OSError as error:
        raise SourceFailed(f"git cannot be run: {error.strerror}; install it to build commits") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"it has no such commit, branch or tag as {revision!r}"
        raise SourceFailed(
            f"could not fetch {revision} of {root}: {said}. "
            "The local cloud builds commits of the repository it was started in."
        )
    return done.stdout
