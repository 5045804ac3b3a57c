"""What Terraform needs beside each stack's JSON so that plain `cdktf deploy` works.

A lock file, because cdktf would otherwise ask the public registry about a private provider; a link to the provider
mirror; the archives of the images' sources. Written after synth, the same each time.
"""

from __future__ import annotations

from pathlib import Path

from cdk import vertex
from cdk.config import ROOT, DeploymentConfig
from cdk.images import ARCHIVES
from cdk.sources import ImageSource

GOOGLE_SOURCE, GOOGLE_VERSION = "registry.terraform.io/hashicorp/google", "6.50.0"
KEPT_ARCHIVES = 3


def furnish(stack_folder: Path, *, config: DeploymentConfig, sources: list[ImageSource]) -> None:
    """Completes one stack's folder."""
    _write_lock(stack_folder)
    _link_plugins(stack_folder, ROOT / ".flanstack" / "plugins" / config.terraform.plugin_mirror)
    if config.source.delivery == "upload":
        for source in sources:
            kept = source.write_archive(stack_folder / ARCHIVES)
            _drop_old(kept, source)


def _write_lock(folder: Path) -> None:
    """Version and constraint without hashes: the mirror's launcher differs from machine to machine.

    The constraint is spelled as the bindings spell it (`version = "6.50.0"` in required_providers).
    """
    blocks = [
        f'provider "{source}" {{\n  version     = "{version}"\n  constraints = "{version}"\n}}\n'
        for source, version in ((GOOGLE_SOURCE, GOOGLE_VERSION), (vertex.SOURCE, vertex.VERSION))
    ]
    path = folder / ".terraform.lock.hcl"
    text = "\n".join(sorted(blocks))
    # Terraform adds hashes to a provider it fetched; they hold as long as the versions do.
    if path.exists() and all(f'"{version}"' in path.read_text() for version in (GOOGLE_VERSION, vertex.VERSION)):
        return
    path.write_text(text)


def _link_plugins(folder: Path, mirror: Path) -> None:
    link = folder / "terraform.d" / "plugins"
    link.parent.mkdir(exist_ok=True)
    if link.is_symlink() and link.readlink() == mirror:
        return
    if link.is_symlink() or link.exists():
        link.unlink()
    link.symlink_to(mirror, target_is_directory=True)


def _drop_old(kept: Path, source: ImageSource) -> None:
    """Archives of earlier contents, but for the newest few."""
    others = [path for path in kept.parent.glob(f"{source.name}-*.tar.gz") if path != kept]
    for path in sorted(others, key=lambda one: one.stat().st_mtime, reverse=True)[KEPT_ARCHIVES - 1 :]:
        path.unlink()
