"""What the provider keeps on this machine for people: progress of what runs, and how long phases took before.

Nothing here is needed to apply: it may be deleted at any time, and one that cannot be written stops nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

FOLDER_VARIABLE = "FLANSTACK_STATE_DIR"
PROGRESS_VARIABLE = "FLANSTACK_PROGRESS_FILE"
WORKSPACE_FOLDER = ".flanstack"


def folder() -> Path:
    """The nearest `.flanstack` at or above the working directory, else one of the user's.

    A repository has one folder for all its stacks, each of which Terraform works in by itself.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    with contextlib.suppress(OSError):  # a working directory that is gone
        here = Path.cwd()
        for place in (here, *here.parents):
            if _is_ours(place / WORKSPACE_FOLDER):
                return place / WORKSPACE_FOLDER
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  pathlib's own fails where there is none
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "flanstack"


def _is_ours(path: Path) -> bool:
    """Whether it is a folder of this user's: in a shared place above, anybody could lay one."""
    return path.is_dir() and path.stat().st_uid == os.getuid()


def progress_file() -> Path:
    """Where progress is told: as FLANSTACK_PROGRESS_FILE says, else in the folder."""
    return Path(os.environ.get(PROGRESS_VARIABLE) or folder() / "progress.jsonl")


def say(text: str, *, level: str = "WARN") -> None:
    """One line for Terraform's log. Nobody may be there to read it any more: that is no error."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"[{level}]  {text}\n")
        sys.stderr.flush()
