"""What goes into an image: its files, their hash, and the archive that carries them to a build.

The hash depends on relative paths, executable bits and bytes, and on the build's values; not on times, owners or
the order in which files are found. Knows nothing of deployments.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

IGNORED_DIRS = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
IGNORED_SUFFIXES = frozenset({".pyc", ".pyo", ".swp", ".orig"})
# Left by desktops and editors beside anything; no image needs them.
IGNORED_NAMES = frozenset({".DS_Store", "Thumbs.db"})


class SourceError(Exception):
    """The source of an image cannot be taken as it is; the message says what to do."""


@dataclass(frozen=True)
class SourceFile:
    """path: relative to the repository, with `/`."""

    path: str
    is_executable: bool
    content: bytes


@dataclass(frozen=True)
class ImageSource:
    """One image's source. values: what else its build depends on."""

    name: str
    files: tuple[SourceFile, ...]
    values: Mapping[str, str]

    @cached_property
    def content_hash(self) -> str:
        """sha256, 64 hexadecimal digits."""
        total = hashlib.sha256()
        for file in self._sorted:
            total.update(json.dumps([file.path, file.is_executable, len(file.content)]).encode())
            total.update(file.content)
        total.update(json.dumps(dict(self.values), sort_keys=True).encode())
        return total.hexdigest()

    @property
    def archive_name(self) -> str:
        return f"{self.name}-{self.content_hash[:16]}.tar.gz"

    def write_archive(self, folder: Path) -> Path:
        """Writes the archive unless it is there; the same content gives the same bytes."""
        path = folder / self.archive_name
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            # Under another name first: an interrupted synth leaves no half archive under the right one.
            fresh = path.with_suffix(".new")
            fresh.write_bytes(gzip.compress(self._tar(), compresslevel=6, mtime=0))
            fresh.replace(path)
        return path

    @property
    def _sorted(self) -> list[SourceFile]:
        return sorted(self.files, key=lambda file: file.path)

    def _tar(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for file in self._sorted:
                info = tarfile.TarInfo(file.path)  # owner and time are zero by default
                info.size, info.mode = len(file.content), 0o755 if file.is_executable else 0o644
                archive.addfile(info, io.BytesIO(file.content))
        return buffer.getvalue()


def files_of_tree(root: Path, paths: tuple[str, ...]) -> tuple[SourceFile, ...]:
    """The files at and below the paths as they are on disk. SourceError when a path has none."""
    found: dict[str, SourceFile] = {}
    for path in paths:
        below = list(_below(root / path))
        if not below:
            raise SourceError(f"An image is made of {path}, but {root / path} has no file; is the checkout complete?")
        for file in below:
            name = file.relative_to(root).as_posix()
            found[name] = SourceFile(name, bool(file.stat().st_mode & 0o100), file.read_bytes())
    return tuple(found.values())


def _below(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in path.rglob("*"):
        inside = file.relative_to(path)
        if (
            file.is_file()
            and file.suffix not in IGNORED_SUFFIXES
            and file.name not in IGNORED_NAMES
            and not file.name.endswith("~")
            and not IGNORED_DIRS & set(inside.parts)
        ):
            yield file
