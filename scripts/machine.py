"""What this machine must have before anything can start, each lack in one sentence with its cure.

Checks programs, versions, free disk and free ports. Installs and starts nothing. Standard library
only: it runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIN_PYTHON, BELOW_PYTHON = (3, 11), (3, 14)
MIN_TERRAFORM = (1, 5)
INSTALL_DISK_GB = 4.0
RUN_DISK_GB = 0.5


class MachineUnfit(Exception):
    """Something is missing here; the message says what, what is needed, and the cure."""


def check_python(version: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)) -> None:
    if not MIN_PYTHON <= version < BELOW_PYTHON:
        raise MachineUnfit(
            f"Python {version[0]}.{version[1]} is running this; {MIN_PYTHON[0]}.{MIN_PYTHON[1]} to "
            f"{BELOW_PYTHON[0]}.{BELOW_PYTHON[1] - 1} is needed. "
            "Install one and name it: make install PYTHON=python3.11"
        )


def check_node() -> None:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise MachineUnfit(
                f"{program} is not on PATH; the cdktf command line needs Node 18 or newer with npm. "
                "Install it from nodejs.org or your package manager, then run this again."
            )


def check_terraform() -> None:
    program = shutil.which("terraform")
    if program is None:
        raise MachineUnfit(
            f"terraform is not on PATH; {MIN_TERRAFORM[0]}.{MIN_TERRAFORM[1]} or newer is needed. "
            "Install it from developer.hashicorp.com/terraform/install, then run this again."
        )
    out = subprocess.run([program, "version"], capture_output=True, text=True, env=terraform_environment(), check=False)
    found = re.search(r"Terraform v(\d+)\.(\d+)", out.stdout)
    if found is None:
        raise MachineUnfit(f"`{program} version` printed no version: {(out.stdout + out.stderr).strip()[:300]!r}")
    version = (int(found.group(1)), int(found.group(2)))
    if version < MIN_TERRAFORM:
        raise MachineUnfit(
            f"terraform {version[0]}.{version[1]} is on PATH; {MIN_TERRAFORM[0]}.{MIN_TERRAFORM[1]} or newer is needed."
        )


def check_disk(needed_gb: float, *, folder: Path = ROOT) -> None:
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise MachineUnfit(
            f"{free_gb:.1f} GB are free on the disk of {folder}; {needed_gb:.1f} GB are needed. "
            "Free some, or clone onto another disk."
        )


def port_is_taken(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return True
    return False


def terraform_environment() -> dict[str, str]:
    """This environment for terraform and cdktf: no phoning home, no warning about a config file that is gone.

    FLANSTACK_PROGRESS_FILE and the like are the caller's to add.
    """
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    cache = ROOT / ".flanstack" / "plugin-cache"  # see scripts/install.py, CDKTF
    cache.mkdir(parents=True, exist_ok=True)
    environment.setdefault("TF_PLUGIN_CACHE_DIR", str(cache))
    config = environment.get("TF_CLI_CONFIG_FILE")
    if config and not Path(config).exists():
        del environment["TF_CLI_CONFIG_FILE"]
    bins = [ROOT / ".venv" / "bin", ROOT / "node_modules" / ".bin"]
    environment["PATH"] = os.pathsep.join([*map(str, bins), environment.get("PATH", "")])
    return environment
