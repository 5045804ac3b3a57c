"""The source as the checked-out commit has it: what a build that fetches from the repository will see.

Asks git; knows nothing of images or deployments.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from cdk.sources import SourceError, SourceFile


def revision(root: Path) -> str:
    """The commit that is checked out, 40 hexadecimal digits."""
    return _git(root, "rev-parse", "--verify", "HEAD^{commit}").decode().strip()


def changed_files(root: Path, paths: tuple[str, ...]) -> list[str]:
    """Files at and below the paths that differ from the commit, new ones included."""
    status = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *paths).decode()
    return [line[3:] for line in status.splitlines()]


def files_of_commit(root: Path, commit: str, paths: tuple[str, ...]) -> tuple[SourceFile, ...]:
    """The files at and below the paths in a commit. SourceError when it has none."""
    listing = _git(root, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths).decode()
    rows = [row.split("\t", 1) for row in listing.split("\0") if row]
    blobs = [(path, *meta.split()) for meta, path in rows]  # (path, mode, type, object)
    if not blobs:
        raise SourceError(f"Commit {commit[:12]} has no file of {', '.join(paths)}; commit them first.")
    contents = _contents(root, [object_id for _, _, _, object_id in blobs])
    return tuple(
        SourceFile(path, mode == "100755", content) for (path, mode, _, _), content in zip(blobs, contents, strict=True)
    )


def _contents(root: Path, object_ids: list[str]) -> list[bytes]:
    """Bytes of each object, from one `git cat-file --batch`: `ID blob SIZE\\n` + bytes + `\\n` per object."""
    stream = _git(root, "cat-file", "--batch", stdin="\n".join(object_ids).encode() + b"\n")
    contents, at = [], 0
    for _ in object_ids:
        end = stream.index(b"\n", at)
        size = int(stream[at:end].split()[-1])
        contents.append(stream[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return contents


def _git(root: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    try:
        out = subprocess.run(["git", *arguments], cwd=root, capture_output=True, input=stdin, check=False)
    except FileNotFoundError:
        raise SourceError(f"{_WHY}, but there is no git on this machine. {_CURE}") from None
    if out.returncode:
        message = out.stderr.decode(errors="replace").strip()
        raise SourceError(f"{_WHY}, but `git {' '.join(arguments[:2])}` failed in {root}: {message}. {_CURE}")
    return out.stdout


_WHY = 'source.delivery is "repository", so a commit is built'
_CURE = 'Work in a git checkout with a commit, or set source.delivery = "upload".'
