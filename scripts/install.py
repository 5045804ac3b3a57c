"""`make install`: the virtual environment, the pinned packages, cdktf and Node, the kernels, the Terraform providers.

Each step leaves a stamp with the hash of what it was made from, so a second run does only what
changed, and an interrupted run is finished by the next. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.machine import INSTALL_DISK_GB, ROOT, MachineUnfit, check_disk, check_node, check_python, check_terraform
from scripts.timeline import Phase, Timeline

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NODE_BIN = ROOT / "node_modules" / ".bin"
PLUGINS = ROOT / ".flanstack" / "plugins"
KERNELS = ROOT / ".flanstack" / "kernels"
LOGS = ROOT / ".flanstack" / "logs"
TORCH = "torch==2.13.0"


# cdktf keeps providers of all projects in one cache in the home folder; ours differ from clone to clone under the
# same version, so each clone gets a cache of its own.
CDKTF = """#!/bin/sh
export CHECKPOINT_DISABLE=1 TF_PLUGIN_CACHE_DIR="${TF_PLUGIN_CACHE_DIR:-$PWD/.flanstack/plugin-cache}"
mkdir -p "$TF_PLUGIN_CACHE_DIR"
bin="$(dirname "$(readlink -f "$0")")/../../node_modules/.bin"
exec "$bin/node" "$bin/cdktf" "$@"
"""


class StepFailed(Exception):
    """A command of a step failed; the message holds its last lines and where the rest is."""


def digest_of(*parts: Path | str) -> str:
    """Hash of files' bytes and of strings: what a step was made from."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        total.update(b"\0")
    return total.hexdigest()


def run(phase: Phase, command: list[str], *, log: Path) -> None:
    """Runs a command with its output in the log; its last line is the phase's note."""
    phase.note(" ".join(command[:4])[-60:] + (" …" if len(command) > 4 else ""))
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_COLOR": "1"}
    with log.open("ab") as out:
        out.write(f"\n$ {' '.join(command)}\n".encode())
        out.flush()
        code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=environment).returncode
    if code:
        tail = "\n    ".join(log.read_text(errors="replace").splitlines()[-15:])
        raise StepFailed(f"`{' '.join(command)}` ended with {code}. Its last lines (all of it: {log}):\n    {tail}")


def install_python(phase: Phase) -> None:
    """The environment, every package of requirements.lock by hash, and torch.

    torch stands apart because its build is the machine's choice: pip's own configuration (an
    index or find-links of CPU wheels) decides which one `torch==2.13.0` is.
    """
    log = LOGS / "install-python.log"
    if not PYTHON.exists():
        run(phase, [sys.executable, "-m", "venv", str(VENV)], log=log)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet"]
    run(phase, [*pip, "--require-hashes", "--no-deps", "-r", "requirements.lock"], log=log)
    run(phase, [*pip, TORCH], log=log)
    phase.note("")


def install_node(phase: Phase) -> None:
    """cdktf-cli and the Node that jsii supports, beside the environment's python."""
    run(phase, ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], log=LOGS / "install-node.log")
    link = VENV / "bin" / "node"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("..", "..", "node_modules", ".bin", "node"))
    wrapper = VENV / "bin" / "cdktf"
    wrapper.unlink(missing_ok=True)
    wrapper.write_text(CDKTF)
    wrapper.chmod(0o755)
    phase.note("")


def install_providers(phase: Phase) -> None:
    """Our provider for both mirrors; the stand-in for hashicorp/google for the local one."""
    log = LOGS / "install-providers.log"
    for mirror in ("local", "cloud"):
        run(phase, [str(PYTHON), "-m", "provider", "install", "--mirror", str(PLUGINS / mirror)], log=log)
    stand_in = [str(PYTHON), "-m", "localcloud.google_provider", "install", "--mirror", str(PLUGINS / "local")]
    run(phase, stand_in, log=log)
    phase.note("")


def install_kernels(phase: Phase) -> None:
    """What computes T5 on this machine's cores; without a C++ compiler the server runs on PyTorch's operations."""
    log = LOGS / "install-kernels.log"
    run(phase, [str(PYTHON), "-m", "serving.native"], log=log)
    KERNELS.mkdir(parents=True, exist_ok=True)
    last = log.read_text(errors="replace").splitlines()[-1]
    phase.note("" if last.endswith(".so") else last)


def python_sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def install(timeline: Timeline, *, force: bool = False) -> list[str]:
    """Does the steps whose ground has changed; returns their titles."""
    check_python()
    check_node()
    check_terraform()
    kernels = sorted(path for path in (ROOT / "serving" / "native").rglob("*") if path.suffix in (".py", ".cpp", ".h"))
    sources = python_sources("tfplugin", "provider", "localcloud/google_provider")
    steps: list[tuple[str, Path, str, Callable[[Phase], None]]] = [
        ("Python packages", VENV, digest_of(ROOT / "requirements.lock", TORCH, sys.version), install_python),
        (
            "cdktf and Node",
            ROOT / "node_modules",
            digest_of(ROOT / "package-lock.json", ROOT / "package.json", CDKTF),
            install_node,
        ),
        ("Kernels for CPUs", KERNELS, digest_of(*kernels, platform.processor(), str(Path.home())), install_kernels),
        ("Terraform providers", PLUGINS, digest_of(*sources, ROOT / "requirements.lock", str(ROOT)), install_providers),
    ]
    done = []
    for title, folder, ground, step in steps:
        stamp = folder / ".flanstack-stamp"
        if not force and stamp.exists() and stamp.read_text() == ground:
            continue
        if step is install_python and not PYTHON.exists():
            check_disk(INSTALL_DISK_GB)
        stamp.unlink(missing_ok=True)
        with timeline.phase(title) as phase:
            step(phase)
        stamp.write_text(ground)
        done.append(title)
    return done


def main() -> int:
    parser = argparse.ArgumentParser(prog="make install", description=__doc__.splitlines()[0])
    parser.add_argument("--force", action="store_true", help="do every step again")
    parser.add_argument("--quiet-when-done", action="store_true", help="print nothing when nothing is to be done")
    arguments = parser.parse_args()
    timeline = Timeline()
    try:
        done = install(timeline, force=arguments.force)
    except (MachineUnfit, StepFailed) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. `make install` goes on from here.", file=sys.stderr)
        return 130
    if done or not arguments.quiet_when_done:
        print("Installed." if done else "Everything is installed already.")
        print("Next: `make up`; or, for cdktf by hand, `source .venv/bin/activate` and `cdktf synth`.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
