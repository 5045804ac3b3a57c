"""The pinned packages of a provider, as wheels for another platform and several Pythons, and unpacked.

Every wheel is checked against the hash that its lock file has. Knows pip and wheel names; knows nothing of Terraform.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

# Terraform's name of a platform -> the tags of wheels that run there. Not here for want of wheels: Macs with Intel's
# processors (cryptography builds none any more) and Windows (the launcher is a shell script).
PLATFORM_TAGS = {
    "linux_amd64": ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"],
    "linux_arm64": ["manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"],
    "darwin_arm64": ["macosx_11_0_arm64", "macosx_11_0_universal2", "macosx_10_9_universal2"],
}
NEEDS = {"linux": "Linux with glibc 2.28 or newer", "darwin": "macOS 11 or newer"}


class NoWheels(Exception):
    """pip found no wheel for the platform, or one that does not match its hash; the message is pip's."""


def download(lock: Path, folder: Path, *, platform: str, minors: Sequence[int]) -> None:
    """Downloads the lock's packages into the folder, for each of Python 3.MINOR."""
    running = [_start(lock, folder / f"cp3{minor}", platform=platform, minor=minor) for minor in minors]
    for process in running:
        said, _ = process.communicate()
        if process.returncode:
            raise NoWheels(f"{lock.name} has no wheels for {platform}:\n{said[-2000:]}")


def _start(lock: Path, folder: Path, *, platform: str, minor: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
    command += ["--only-binary", ":all:", "--dest", str(folder), "--implementation", "cp"]
    command += ["--python-version", f"3.{minor}", "--abi", f"cp3{minor}", "--abi", "abi3", "--abi", "none"]
    for tag in PLATFORM_TAGS[platform]:
        command += ["--platform", tag]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def unpack(wheels: Path, library: Path, *, minors: Sequence[int]) -> None:
    """Unpacks into `library/any` what every Python can use, and into `library/cp3MINOR` what only one can."""
    for minor in minors:
        tag = f"cp3{minor}"
        for wheel in sorted((wheels / tag).glob("*.whl")):
            abi = wheel.stem.split("-")[-2]
            target = library / (tag if abi == tag else "any")
            target.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(wheel) as content:
                # A wheel's `.data` folder holds scripts and headers: nothing that is imported.
                content.extractall(target, [one for one in content.namelist() if ".data/" not in one])
