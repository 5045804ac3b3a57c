"""Puts a provider into a folder that Terraform reads as a mirror.

The executable is a small shell script that starts this interpreter on the provider's module.
Knows nothing of what the provider does.
Source: Terraform, "Implied Local Mirror Directories".
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

_SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "windows"}
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "arm64": "arm64", "aarch64": "arm64"}


class UnknownPlatform(Exception):
    """Terraform has no name for this machine."""


@dataclass(frozen=True)
class Release:
    """A provider as Terraform names it: `host/namespace/type`, and a version."""

    source: str
    version: str
    module: str

    @property
    def type(self) -> str:
        return self.source.rpartition("/")[2]


def platform_name() -> str:
    """This machine as Terraform names it: `linux_amd64`."""
    try:
        return f"{_SYSTEMS[platform.system()]}_{_MACHINES[platform.machine()]}"
    except KeyError as error:
        known = ", ".join(sorted({*_SYSTEMS, *_MACHINES}))
        raise UnknownPlatform(f"{platform.system()} on {platform.machine()} is none of {known}") from error


def install(release: Release, mirror: Path, *, root: Path) -> Path:
    """Writes the launcher, replacing another one at once and leaving the same alone; returns its path.

    root: the folder that holds the packages; it goes first on the launcher's PYTHONPATH.
    """
    folder = mirror.resolve() / release.source / release.version / platform_name()
    folder.mkdir(parents=True, exist_ok=True)
    launcher = folder / f"terraform-provider-{release.type}_v{release.version}"
    script = (
        "#!/bin/sh\n"
        f"PYTHONPATH={shlex.quote(str(root.resolve()))}${{PYTHONPATH:+:$PYTHONPATH}} \\\n"
        f'  exec {shlex.quote(sys.executable)} -P -m {release.module} "$@"\n'
    )
    if launcher.exists() and launcher.read_text() == script and os.access(launcher, os.X_OK):
        return launcher
    fresh = folder / f".{launcher.name}.{os.getpid()}"  # Terraform takes any `terraform-provider-…` for a provider
    fresh.write_text(script)
    fresh.chmod(0o755)
    fresh.replace(launcher)
    return launcher
