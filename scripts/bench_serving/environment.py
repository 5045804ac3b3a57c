"""A virtual environment for the peers: the project's own packages, and beside them the pinned servers to compare with.

So that a peer runs on the same PyTorch and transformers as the project, and the project's environment stays as it is.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

PEERS = ("litserve==0.2.19", "ctranslate2==4.8.5")


def make_venv(folder: Path) -> Path:
    """Makes it unless it is complete; returns its Python."""
    python = folder / "bin" / "python"
    done = folder / "peers.txt"
    if done.is_file() and done.read_text().split() == list(PEERS):
        return python
    print(f"installing {' and '.join(PEERS)} into {folder}", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    (link,) = folder.glob("lib/python*/site-packages")
    (link / "project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True, stdout=sys.stderr)
    done.write_text("\n".join(PEERS))
    return python
