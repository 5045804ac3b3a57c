"""Whether Terraform, Node, cdktf and the Terraform providers are there, in versions that work together."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cdk.config import ROOT, DeploymentConfig
from cdk.providers import GOOGLE_SOURCE, GOOGLE_VERSION, VERTEX_SOURCE, VERTEX_VERSION
from scripts.doctor.finding import Finding, failure, ok, warning
from scripts.machine import MIN_TERRAFORM, terraform_environment

INSTALL = "make install"
GET_TERRAFORM = "Install it from developer.hashicorp.com/terraform/install."
BELOW_TERRAFORM = (2, 0)
JSII_NODE = (18, 20, 22, 24)  # beside these, jsii greets with a banner or fails
TIMEOUT_S = 5.0


def programs(config: DeploymentConfig, *, root: Path = ROOT) -> Iterator[Finding]:
    yield _terraform()
    yield _node(root)
    yield _cdktf(root)
    yield from _providers(root / ".flanstack" / "plugins" / config.terraform.plugin_mirror)


def _said(command: list[str]) -> str | None:
    """What a program prints; None when there is no such program or it fails."""
    environment = terraform_environment()
    if shutil.which(command[0], path=environment["PATH"]) is None:
        return None
    try:
        out = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return out.stdout if out.returncode == 0 else None


def _terraform() -> Finding:
    said = _said(["terraform", "version", "-json"])
    try:
        found = str(json.loads(said or "")["terraform_version"])
        version = tuple(int(part) for part in found.split("-")[0].split(".")[:2])
    except (ValueError, KeyError):
        return failure("Terraform", "no terraform on PATH that tells its version", GET_TERRAFORM)
    if not MIN_TERRAFORM <= version < BELOW_TERRAFORM:
        wanted = f"{MIN_TERRAFORM[0]}.{MIN_TERRAFORM[1]} or newer, below {BELOW_TERRAFORM[0]}.0"
        return failure("Terraform", f"{found} is on PATH, {wanted} is needed", GET_TERRAFORM)
    return ok("Terraform", found)


def _node(root: Path) -> Finding:
    own = root / "node_modules" / ".bin" / "node"
    found = re.match(r"v(\d+)\.\S+", _said([str(own), "--version"]) or "")
    if found is None:
        return failure("Node", "node_modules/.bin/node is missing or does not run", INSTALL)
    if int(found.group(1)) not in JSII_NODE:
        wanted = ", ".join(map(str, JSII_NODE))
        return warning("Node", f"{found.group()}; cdktf's jsii supports {wanted}", f"npm ci && {INSTALL}")
    return ok("Node", found.group())


def _cdktf(root: Path) -> Finding:
    wanted = json.loads((root / "package.json").read_text())["dependencies"]["cdktf-cli"]
    try:
        found = json.loads((root / "node_modules" / "cdktf-cli" / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return failure("cdktf", f"not installed; {wanted} is wanted", INSTALL)
    if found != wanted:
        return failure("cdktf", f"{found} is installed, {wanted} is wanted", INSTALL)
    return ok("cdktf", str(found))


def _providers(mirror: Path) -> Iterator[Finding]:
    """Ours is always of the mirror; hashicorp/google where the mirror has a stand-in for it."""
    yield _provider(mirror, VERTEX_SOURCE, VERTEX_VERSION)
    if mirror.name == "local":
        yield _provider(mirror, GOOGLE_SOURCE, GOOGLE_VERSION)


def _provider(mirror: Path, source: str, wanted: str) -> Finding:
    name = source.partition("/")[2]
    launchers = sorted((mirror / source / wanted).glob("*/terraform-provider-*"))
    if not launchers:
        others = sorted(path.name for path in (mirror / source).glob("*")) or ["none"]
        text = f"{name} {wanted} is not in .flanstack/plugins/{mirror.name} (there: {', '.join(others)})"
        return failure("providers", text, INSTALL)
    for launcher in launchers:
        program = _program_of(launcher)
        if program and not Path(program).exists():
            text = f"{name} {wanted} starts {program}, which is gone (was the checkout moved?)"
            return failure("providers", text, f"{INSTALL}, with --force if it says that all is done")
    return ok("providers", f"{name} {wanted}")


def _program_of(launcher: Path) -> str:
    """What a launcher script starts; empty for a binary."""
    text = launcher.read_bytes()[:4096]
    if not text.startswith(b"#!"):
        return ""
    words = shlex.split(text.decode(errors="replace"), comments=True)
    return next((word for word in words if word.startswith("/") and "python" in Path(word).name), "")
