"""What COPY does with files: which ones a source names, where they go, with what mode.

Knows nothing of stages, of variables or of where a Dockerfile is.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from localcloud.images.dockerfile import DockerfileError, Instruction


def mode_of(instruction: Instruction) -> int | None:
    """What --chmod says; None when it says nothing. Owners do not exist here: --chown is passed over."""
    unknown = set(instruction.flags) - {"from", "chown", "chmod", "link"}
    if unknown:
        raise DockerfileError(f"line {instruction.line}: --{min(unknown)} is not done here")
    given = instruction.flags.get("chmod")
    if given is not None and not re.fullmatch("0?[0-7]{3}", given):
        raise DockerfileError(f"line {instruction.line}: --chmod={given} is no octal mode such as 755")
    return None if given is None else int(given, 8)


def matches(root: Path, pattern: str) -> list[Path]:
    """The files and folders below root that a source names. DockerfileError when it leaves root."""
    clean = pattern.lstrip("/").rstrip("/") or "."
    if ".." in PurePosixPath(clean).parts:
        raise DockerfileError(f"{pattern!r} leaves the build context")
    if any(one in clean for one in "*?["):
        return sorted(root.glob(clean))
    path = root / clean
    return [path] if path.exists() else []


def place(path: Path, target: Path, *, into_folder: bool, mode: int | None, hides: Callable[[Path], bool]) -> None:
    """A folder's contents go into the target, save what is hidden; a file becomes it, or goes into it."""
    if not path.is_dir():
        _copy(path, target / path.name if into_folder or target.is_dir() else target, mode)
        return
    target.mkdir(parents=True, exist_ok=True)
    for one in sorted(path.rglob("*")):
        if hides(one):
            continue
        goal = target / one.relative_to(path)
        if one.is_dir() and not one.is_symlink():
            goal.mkdir(parents=True, exist_ok=True)
        else:
            _copy(one, goal, mode)


def _copy(path: Path, goal: Path, mode: int | None) -> None:
    """A link is copied as a link."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    if goal.is_symlink() or (path.is_symlink() and goal.exists()):
        goal.unlink()
    shutil.copy2(path, goal, follow_symlinks=False)
    if mode is not None and not goal.is_symlink():
        goal.chmod(mode)
