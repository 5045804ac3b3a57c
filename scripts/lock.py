"""`make lock`: resolves the pinned packages again, keeping every pin that still fits.

One lock for the whole project, one subset for each image and for the provider's archive, all with hashes,
none with torch: which build of torch is installed (CPU, CUDA) is the machine's choice.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.machine import ROOT

FLAGS = ["--universal", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate"]
# torch is a package of a range that never holds, so that neither it nor its CUDA packages are pinned
WITHOUT_TORCH = "torch==2.13.0; python_version<'3'\n"


def compile_lock(source: str, target: str, *more: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as override:
        override.write(WITHOUT_TORCH)
        override.flush()
        command = [str(Path(sys.executable).parent / "uv"), "pip", "compile", source, "-o", target, "-q", "--no-header"]
        subprocess.run([*command, *FLAGS, "--override", override.name, *more], cwd=ROOT, check=True)


def compile_cuda_lock() -> None:
    """torch and its CUDA libraries for the serving image alone: one Python, one platform."""
    command = [str(Path(sys.executable).parent / "uv"), "pip", "compile", "serving/requirements-cuda.in", "-q"]
    command += ["-o", "serving/requirements-cuda.lock", "--no-config", "--python-version", "3.11"]
    command += ["--python-platform", "x86_64-manylinux_2_28", "--constraints", "serving/requirements.lock"]
    command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> int:
    compile_lock("pyproject.toml", "requirements.lock", "--all-extras")
    for room in ("serving", "training", "ui", "provider"):
        compile_lock(f"{room}/requirements.in", f"{room}/requirements.lock", "--constraints", "requirements.lock")
    compile_cuda_lock()
    print("requirements.lock and the locks of serving/, training/, ui/ and provider/ are up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
