"""Container images as folders by digest, and the tags that point at them.

An image is `<digest>/rootfs/` and `<digest>/config.json`; its digest depends on nothing but their contents. Knows
nothing of Dockerfiles, repositories' rules or processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.errors import ApiError, invalid

_URI = re.compile(
    r"^(?P<repository>(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<id>[^/@:]+))"
    r"/(?P<package>[^@:]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)


@dataclass(frozen=True)
class ImageConfig:
    """What an image says of itself. workdir: inside the image, beginning with `/`."""

    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    exposed_ports: list[int] = field(default_factory=list)
    user: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        return [*self.entrypoint, *self.cmd]


@dataclass(frozen=True)
class ImageName:
    """A parsed `LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/PACKAGE[:TAG][@DIGEST]`."""

    location: str
    project: str
    repository_id: str
    package: str
    tag: str | None
    digest: str | None

    @property
    def path(self) -> str:
        return f"{self.location}-docker.pkg.dev/{self.project}/{self.repository_id}/{self.package}"

    @property
    def repository(self) -> str:
        return f"projects/{self.project}/locations/{self.location}/repositories/{self.repository_id}"


def parse_image(uri: str) -> ImageName:
    found = _URI.match(uri)
    if found is None:
        raise invalid(
            f"Invalid image {uri!r}: it must be LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE[:TAG][@sha256:DIGEST]."
        )
    return ImageName(found["location"], found["project"], found["id"], found["package"], found["tag"], found["digest"])


def digest_of(rootfs: Path, config: ImageConfig) -> str:
    """`sha256:…` over sorted paths, modes and contents, and the config. Times and owners do not count."""
    total = hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode())
    for path in sorted(rootfs.rglob("*"), key=lambda one: one.relative_to(rootfs).as_posix()):
        name = path.relative_to(rootfs).as_posix()
        if path.is_symlink():
            entry: list[Any] = [name, "link", str(path.readlink())]
        elif path.is_dir():
            entry = [name, "dir"]
        else:
            with path.open("rb") as file:  # weights are larger than the memory: not read at once
                content = hashlib.file_digest(file, "sha256").hexdigest()
            entry = [name, bool(path.stat().st_mode & 0o100), content]
        total.update(json.dumps(entry).encode())
    return f"sha256:{total.hexdigest()}"


class ImageStore:
    """Thread-safe. A pushed image belongs to the path (`…/REPOSITORY/PACKAGE`) it was pushed to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._index_path = root / "index.json"
        self._lock = threading.RLock()
        # path -> {"versions": {digest: {"uploadTime", "size"}}, "tags": {tag: digest}}
        self._index: dict[str, dict[str, Any]] = (
            json.loads(self._index_path.read_text()) if self._index_path.exists() else {}
        )

    def add(self, rootfs: Path, config: ImageConfig) -> str:
        """Takes the folder over as an image's root; returns its digest. The same contents are kept once."""
        digest = digest_of(rootfs, config)
        folder = self._folder(digest)
        with self._lock:
            if folder.exists():
                shutil.rmtree(rootfs)
                return digest
            fresh = folder.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            shutil.move(str(rootfs), fresh / "rootfs")
            (fresh / "config.json").write_text(json.dumps(asdict(config), indent=1, sort_keys=True))
            fresh.rename(folder)
        return digest

    def push(self, path: str, tag: str, digest: str) -> None:
        """Puts an image under a path and points the tag at it."""
        size = sum(one.stat().st_size for one in self.rootfs(digest).rglob("*") if one.is_file())
        with self._lock:
            package = self._index.setdefault(path, {"versions": {}, "tags": {}})
            now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            package["versions"].setdefault(digest, {"uploadTime": now, "size": size})
            package["versions"][digest]["updateTime"] = now
            package["tags"][tag] = digest
            self._save()

    def resolve(self, uri: str) -> str:
        """The digest an image's URI means now. ApiError NOT_FOUND when there is no such image."""
        name = parse_image(uri)
        with self._lock:
            package = self._index.get(name.path, {"versions": {}, "tags": {}})
            digest = name.digest or package["tags"].get(name.tag or "latest")
            if digest is None or digest not in package["versions"]:
                raise ApiError("NOT_FOUND", f"Image {uri!r} not found.")
            return str(digest)

    def config(self, digest: str) -> ImageConfig:
        return ImageConfig(**json.loads((self._folder(digest) / "config.json").read_text()))

    def rootfs(self, digest: str) -> Path:
        return self._folder(digest) / "rootfs"

    def packages(self, repository_path: str) -> dict[str, dict[str, Any]]:
        """package name -> its versions and tags, of all that is under `…/PROJECT/REPOSITORY`."""
        prefix = repository_path.rstrip("/") + "/"
        with self._lock:
            held = {
                path.removeprefix(prefix): package for path, package in self._index.items() if path.startswith(prefix)
            }
            copied: dict[str, dict[str, Any]] = json.loads(json.dumps(held))
            return copied

    def untag(self, path: str, tag: str) -> bool:
        with self._lock:
            gone = self._index.get(path, {"tags": {}})["tags"].pop(tag, None) is not None
            self._save()
            return gone

    def remove_version(self, path: str, digest: str) -> bool:
        """Removes a version and the tags that point at it. Its folder stays until `sweep`: a process may run in it."""
        with self._lock:
            package = self._index.get(path)
            if package is None or package["versions"].pop(digest, None) is None:
                return False
            package["tags"] = {tag: held for tag, held in package["tags"].items() if held != digest}
            self._drop_empty(path)
            self._save()
            return True

    def remove_package(self, path: str) -> bool:
        with self._lock:
            package = self._index.pop(path, None)
            self._save()
            return package is not None

    def remove_repository(self, repository_path: str) -> None:
        for package in self.packages(repository_path):
            self.remove_package(f"{repository_path.rstrip('/')}/{package}")

    def sweep(self, *, keep: set[str]) -> None:
        """Deletes folders of images that no path has and nothing in `keep` needs."""
        with self._lock:
            used = {digest for package in self._index.values() for digest in package["versions"]} | keep
            for folder in self.root.iterdir():
                if folder.is_dir() and f"sha256:{folder.name}" not in used:
                    shutil.rmtree(folder, ignore_errors=True)

    def _drop_empty(self, path: str) -> None:
        if not self._index[path]["versions"]:
            del self._index[path]

    def _folder(self, digest: str) -> Path:
        return self.root / digest.removeprefix("sha256:")

    def _save(self) -> None:
        fresh = self._index_path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(self._index, indent=1, sort_keys=True))
        fresh.replace(self._index_path)
