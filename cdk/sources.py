"""What goes into an image, its hash, and the archive that carries it to a build.

The hash depends on relative paths, executable bits and bytes, and on the build's values; not on times, owners or
the order in which files are found.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

IGNORED_DIRS = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache"})
IGNORED_SUFFIXES = frozenset({".pyc", ".pyo"})


class SourceError(Exception):
    """The source of an image cannot be taken as it is; the message says what to do."""


@dataclass(frozen=True)
class ImageSource:
    """One image's source: files and folders below root, and the values that its build depends on."""

    name: str
    root: Path
    paths: tuple[str, ...]
    values: Mapping[str, str]

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """All files, sorted by relative path. SourceError when a path has none."""
        found: set[Path] = set()
        for path in self.paths:
            below = set(_files(self.root / path))
            if not below:
                raise SourceError(f"the source of {self.name} names {path!r}, but {self.root / path} has no file")
            found |= below
        return tuple(sorted(found, key=lambda file: file.relative_to(self.root).as_posix()))

    @cached_property
    def content_hash(self) -> str:
        """sha256, 64 hexadecimal digits."""
        total = hashlib.sha256()
        for file in self.files:
            header = [file.relative_to(self.root).as_posix(), _is_executable(file), file.stat().st_size]
            total.update(json.dumps(header).encode())
            total.update(file.read_bytes())
        total.update(json.dumps(dict(self.values), sort_keys=True).encode())
        return total.hexdigest()

    def write_archive(self, folder: Path) -> Path:
        """Writes `NAME-HASH.tar.gz` unless it is there; the same content gives the same bytes."""
        path = folder / f"{self.name}-{self.content_hash[:16]}.tar.gz"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_bytes(gzip.compress(self._tar(), compresslevel=6, mtime=0))
            fresh.replace(path)
        return path

    def _tar(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for file in self.files:
                info = tarfile.TarInfo(file.relative_to(self.root).as_posix())
                info.size, info.mode = file.stat().st_size, 0o755 if _is_executable(file) else 0o644
                with file.open("rb") as content:
                    archive.addfile(info, content)
        return buffer.getvalue()


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return (
        file
        for file in path.rglob("*")
        if file.is_file() and file.suffix not in IGNORED_SUFFIXES and not IGNORED_DIRS & set(file.parts)
    )


def _is_executable(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o100)


def revision(root: Path, paths: tuple[str, ...]) -> str:
    """The commit that is checked out. SourceError when the paths differ from it: the build would not see that."""

    def git(*arguments: str) -> str:
        out = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        if out.returncode:
            raise SourceError(
                f'source.delivery is "repository", but `git {" ".join(arguments)}` failed: {out.stderr.strip()}. '
                'Commit, or set source.delivery = "upload".'
            )
        return out.stdout.strip()

    changed = git("status", "--porcelain", "--", *paths)
    if changed:
        raise SourceError(
            'source.delivery is "repository", and a build sees commits only; these files differ from the last one:\n'
            f'{changed}\nCommit and push them, or set source.delivery = "upload".'
        )
    return git("rev-parse", "HEAD")
