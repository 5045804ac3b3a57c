"""What Terraform needs beside each stack's JSON so that plain `cdktf deploy` works.

A lock file, because cdktf would otherwise ask the public registry about a private provider; a link to the provider
mirror; the archive of the image's source; and nothing that Terraform kept of another environment.
Written after synth, the same each time.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from cdk.config import ROOT, DeploymentConfig
from cdk.images import ARCHIVES
from cdk.providers import GOOGLE_SOURCE, GOOGLE_VERSION, VERTEX_SOURCE, VERTEX_VERSION
from cdk.sources import ImageSource

KEPT_ARCHIVES = 3


def furnish(folder: Path, *, config: DeploymentConfig, source: ImageSource | None) -> None:
    """Completes one stack's folder."""
    _clear_other_environment(folder)
    mirror = ROOT / ".flanstack" / "plugins" / config.terraform.plugin_mirror
    _write_lock(folder / ".terraform.lock.hcl", mirror)
    _link_plugins(folder, mirror)
    if source is not None and config.source.delivery == "upload":
        _drop_old(source.write_archive(folder / ARCHIVES), source)


def _clear_other_environment(folder: Path) -> None:
    """Removes `.terraform` when it is of another backend: Terraform would ask about moving state, cdktf cannot answer.

    It holds copies of the backend's settings and links to providers, no state.
    """
    kept = folder / ".terraform" / "terraform.tfstate"
    if not kept.exists():
        return
    try:
        before: dict[str, Any] = json.loads(kept.read_text())["backend"]
        known = {name: value for name, value in before["config"].items() if value is not None}
    except (ValueError, KeyError, TypeError, AttributeError):
        before, known = {}, {}
    (kind, wanted), *_ = json.loads((folder / "cdk.tf.json").read_text())["terraform"]["backend"].items()
    if before.get("type") != kind or known != wanted:
        shutil.rmtree(folder / ".terraform")
        (folder / ".terraform.lock.hcl").unlink(missing_ok=True)


def _write_lock(lock: Path, mirror: Path) -> None:
    """Version and constraint without hashes: the mirror's launchers differ from machine to machine.

    The constraint is spelled as the bindings spell it (`version = "6.50.0"` in required_providers). The hashes that
    Terraform adds stay as long as the versions are these and nothing was installed into the mirror since.
    """
    blocks = {
        source: f'provider "{source}" {{\n  version     = "{version}"\n  constraints = "{version}"\n'
        for source, version in ((GOOGLE_SOURCE, GOOGLE_VERSION), (VERTEX_SOURCE, VERTEX_VERSION))
    }
    if lock.exists() and all(block in lock.read_text() for block in blocks.values()):
        written = lock.stat().st_mtime
        if all(path.stat().st_mtime < written for path in mirror.rglob("*")):
            return
    lock.write_text("\n".join(blocks[source] + "}\n" for source in sorted(blocks)))


def _link_plugins(folder: Path, mirror: Path) -> None:
    """Terraform looks into `terraform.d/plugins` of the folder that it runs in."""
    link, target = folder / "terraform.d" / "plugins", Path(os.path.relpath(mirror, folder.resolve() / "terraform.d"))
    link.parent.mkdir(exist_ok=True)
    if link.is_symlink() and link.readlink() == target:
        return
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(target, target_is_directory=True)


def _drop_old(kept: Path, source: ImageSource) -> None:
    """Archives of earlier contents, but for the newest few."""
    others = [path for path in kept.parent.glob(f"{source.name}-*.tar.gz") if path != kept]
    for path in sorted(others, key=lambda one: one.stat().st_mtime, reverse=True)[KEPT_ARCHIVES - 1 :]:
        path.unlink()
