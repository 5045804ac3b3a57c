"""The archive of a provider that a registry or a mirror hands out, one per platform, and its checksums.

An archive holds a launcher, the provider's packages and every package it imports, so that a machine needs nothing but
a Python. The same sources, lock and Pythons give the same bytes. Knows nothing of what the provider does.
Source: Terraform, "Publishing Providers" and "Provider Registry Protocol".
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfplugin.install import Release
from tfplugin.wheels import NEEDS, download, unpack

MINORS = (11, 12, 13)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day that a zip file can tell
PROTOCOL = "6.0"

LAUNCHER = """#!/bin/sh
# Starts the provider with a Python of this machine; start.py says so when it does not fit.
run() {{
  program="$1"; shift
  command -v "$program" >/dev/null 2>&1 && exec "$program" -I -S -B "${{0%/*}}/start.py" {module} "$@"
}}
if [ -n "$FLANSTACK_PYTHON" ]; then
  run "$FLANSTACK_PYTHON" "$@"
  echo "FLANSTACK_PYTHON is $FLANSTACK_PYTHON, which is no program. This provider needs Python {oldest} to {newest}."
else
  for python in python3 {candidates}; do run "$python" "$@"; done
  echo "This provider needs Python {oldest} to {newest}, and there is no python3. Install it, or set FLANSTACK_PYTHON."
fi
exit 1
"""
README = """{name} {version} for {platform}

Terraform unpacks this archive and starts {launcher}.
The machine needs {system}, and Python {oldest} to {newest}: `python3`, `python3.{first}` … on the PATH, or the
path of one in FLANSTACK_PYTHON. Nothing else: the packages are in lib/, with their licences in *.dist-info.
"""


@dataclass(frozen=True)
class Contents:
    """What goes in. root: the repository; packages: its folders that are imported; lock: what they import."""

    root: Path
    packages: tuple[str, ...]
    lock: Path


def package(
    release: Release,
    contents: Contents,
    out: Path,
    *,
    platform: str,
    pythons: Mapping[int, Path],
    minors: Sequence[int] = MINORS,
) -> Path:
    """Writes one archive, the manifest and the checksums of all archives that are there; returns the archive's path.

    pythons: by N of 3.N; each compiles bytecode for its version. Without it a start takes twice as long.
    """
    out.mkdir(parents=True, exist_ok=True)
    prefix = f"terraform-provider-{release.type}_{release.version}"
    archive = out / f"{prefix}_{platform}.zip"
    with tempfile.TemporaryDirectory(prefix="provider-archive-") as folder:
        tree, wheels = Path(folder, "tree"), Path(folder, "wheels")
        download(contents.lock, wheels, platform=platform, minors=minors)
        unpack(wheels, tree / "lib", minors=minors)
        _copy_packages(contents, tree / "lib" / "any")
        _write_launcher(release, tree, platform=platform, minors=minors)
        shutil.copy(contents.root / "LICENSE", tree)
        for minor, python in pythons.items():
            _compile(python, minor, tree)
        _zip(tree, archive)
    manifest = {"version": 1, "metadata": {"protocol_versions": [PROTOCOL]}}
    (out / f"{prefix}_manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    _write_sums(out, prefix)
    return archive


def _copy_packages(contents: Contents, target: Path) -> None:
    for name in contents.packages:
        ignored = shutil.ignore_patterns("__pycache__", "requirements.*")
        shutil.copytree(contents.root / name, target / name, ignore=ignored)


def _write_launcher(release: Release, tree: Path, *, platform: str, minors: Sequence[int]) -> None:
    words = {"module": release.module, "oldest": f"3.{minors[0]}", "newest": f"3.{minors[-1]}", "first": minors[0]}
    words["candidates"] = " ".join(f"python3.{minor}" for minor in reversed(minors))
    launcher = tree / f"terraform-provider-{release.type}_v{release.version}"
    launcher.write_text(LAUNCHER.format(**words))
    launcher.chmod(0o755)
    shutil.copy(Path(__file__).with_name("start.py"), tree)
    system = NEEDS[platform.partition("_")[0]]
    names = {"name": release.type, "version": release.version, "platform": platform, "launcher": launcher.name}
    (tree / "README.md").write_text(README.format(system=system, **names, **words))


class UnknownPython(Exception):
    """What was named as a Python to compile with is none that the archive is for."""


def pythons_found(named: Sequence[Path] | None = None, *, minors: Sequence[int] = MINORS) -> dict[int, Path]:
    """Pythons to compile bytecode with, one for each N of Python 3.N: those named, else those on the PATH.

    Raises UnknownPython for a named one that does not fit.
    """
    candidates = [shutil.which(f"python3.{minor}") for minor in minors]
    found = {_minor(path): path for path in named or [Path(one) for one in (*candidates, sys.executable) if one]}
    for minor in found.keys() - set(minors) if named else ():
        allowed = ", ".join(f"3.{one}" for one in minors)
        raise UnknownPython(
            f"{found[minor]} is Python 3.{minor}; allowed are {allowed}" if minor else f"{found[minor]} is no Python"
        )
    return {minor: found[minor] for minor in sorted(found.keys() & set(minors))}


def _minor(python: Path) -> int:
    """N of a Python 3.N; 0 when it does not run or is no Python 3."""
    asked = [str(python), "-I", "-S", "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        major, minor = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError, ValueError):
        return 0
    return int(minor) if major == "3" else 0


def _compile(python: Path, minor: int, tree: Path) -> None:
    """Bytecode that never looks at its source's time: what is unpacked has another, and nothing here changes."""
    command = [str(python), "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(tree), str(tree / "lib" / "any"), str(tree / "lib" / f"cp3{minor}")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


def _zip(tree: Path, archive: Path) -> None:
    """Sorted names, one date, no owner: the same tree gives the same bytes."""
    fresh = archive.with_name(f".{archive.name}.{os.getpid()}")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix: the next field is a file mode
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            out.writestr(entry, path.read_bytes())
    fresh.replace(archive)


def _write_sums(out: Path, prefix: str) -> None:
    """`sha256sum`'s format, over this version's archives and manifest: what a registry wants signed."""
    names = sorted(path.name for path in (*out.glob(f"{prefix}_*.zip"), *out.glob(f"{prefix}_manifest.json")))
    lines = [f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (out / f"{prefix}_SHA256SUMS").write_text("".join(lines))
