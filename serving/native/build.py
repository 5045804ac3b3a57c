"""Compiles the kernels of `src/` into one shared library, once for each state of the sources.

Knows the compiler; knows no tensors, no models. The library's name has the hash of what it was made of, so a changed
source is never run from an old library, and several checkouts may share the cache.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "src"
# where an image's build puts it, so that a running server needs neither a compiler nor a folder to write to
BUILT = HERE / "built"

FLAGS = ("-std=c++20", "-O3", "-ffp-contract=off", "-fPIC", "-shared", "-pthread")
# what the kernels are written for: AVX2, FMA and half-precision conversion; nearly all servers since 2015 have them
NEEDED = frozenset({"avx2", "fma", "f16c"})
# the second one on machines whose instructions add four products of bytes at once
LEVELS = {"x86-64-v3": NEEDED, "x86-64-v4": NEEDED | {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}}
EXTRA = {"x86-64-v3": (), "x86-64-v4": ("-mavx512vnni",)}
COMPILE_S = 120


class NoLibrary(Exception):
    """There is none and none can be made; the message says why, and what would help."""


def find_or_build(*, cache: Path | None = None) -> Path:
    """The library for this machine: the one that came with the image, or one made now. Raises `NoLibrary`."""
    level = machine_level()
    name = library_name(level)
    if (BUILT / name).exists():
        return BUILT / name
    cache = cache or default_cache()
    return cache / name if (cache / name).exists() else build(cache, level=level)


def build(folder: Path, *, level: str) -> Path:
    """Compiles into `folder`; what another process makes at the same time does no harm. Raises `NoLibrary`."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise NoLibrary("no C++ compiler was found; install g++, or set CXX to one")
    target = folder / library_name(level)
    sources = [str(path) for path in sorted(SOURCES.glob("*.cpp"))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / target.name
            command = [*compiler.split(), *FLAGS, f"-march={level}", *EXTRA[level], *sources, "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_S)
            if done.returncode:
                raise NoLibrary(f"{compiler} failed: {(done.stderr or done.stdout).strip()[:1000]}")
            made.replace(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoLibrary(f"{target} could not be made: {error}") from error
    return target


def library_name(level: str) -> str:
    """With the hash of the sources and of how they are compiled."""
    content = hashlib.sha256(" ".join([*FLAGS, level, *EXTRA[level]]).encode())
    for path in sorted(SOURCES.iterdir()):
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"t5-{level}-{content.hexdigest()[:16]}.so"


def default_cache() -> Path:
    """For each user, shared by all checkouts. Raises `NoLibrary` for a user without a home.

    Never a folder of everybody's: what lies there is run.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flanstack"
    except RuntimeError as error:
        raise NoLibrary(f"there is no folder to keep them in ({error}); set XDG_CACHE_HOME") from None


def machine_level() -> str:
    """The richest instruction set that both the kernels and this machine know. Raises `NoLibrary`."""
    has = _cpu_flags()
    for level in reversed(LEVELS):
        if LEVELS[level] <= has:
            return level
    raise NoLibrary(
        f"the kernels need a 64-bit x86 processor with {', '.join(sorted(NEEDED))} under Linux; "
        f"this is {platform.machine()} under {platform.system()}"
    )


def _cpu_flags() -> frozenset[str]:
    if platform.machine() not in ("x86_64", "AMD64"):
        return frozenset()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return next((frozenset(line.split()) for line in lines if line.startswith("flags")), frozenset())
