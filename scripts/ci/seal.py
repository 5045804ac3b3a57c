"""A seal on a folder of saved plans, so that what is applied is what was looked at: its commit, and every file's hash.

    seal.json    environment, commit, tree, Terraform's version, {file: sha256}

The seal's own hash stands for the whole folder; it travels apart from it. Knows files and git; runs no Terraform.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "seal.json"
CURE = "Plan again, and have that plan reviewed."


class SealBroken(Exception):
    """The folder is not what was sealed, or not of what is checked out; the message says what differs."""


@dataclass(frozen=True)
class Seal:
    """files: name -> hex sha256 of everything in the folder but the seal."""

    environment: str
    commit: str
    tree: str
    terraform: str
    files: dict[str, str]

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()


def seal(folder: Path, *, environment: str, checkout: Path, terraform: str) -> Seal:
    """Seals the folder as it is. SealBroken when the checkout has changes that no commit has."""
    if changed := _git(checkout, "status", "--porcelain", "--untracked-files=no"):
        raise SealBroken(f"The checkout differs from its commit, so its plan is nobody's:\n{changed}\nCommit first.")
    made = Seal(
        environment=environment,
        commit=head(checkout),
        tree=_git(checkout, "rev-parse", "HEAD^{tree}"),
        terraform=terraform,
        files=_hashes(folder),
    )
    (folder / FILE).write_text(made.text)
    return made


def opened(folder: Path, *, digest: str, environment: str, checkout: Path, terraform: str) -> Seal:
    """The folder's seal, once everything fits. SealBroken for the first thing that does not."""
    found = _read(folder)
    if found.digest != digest:
        raise SealBroken(f"The plan's seal is {found.digest}, approved was {digest}. {CURE}")
    if found.environment != environment:
        raise SealBroken(f"The plan is of {found.environment}, asked for is {environment}. {CURE}")
    here = head(checkout)
    if found.commit != here:
        raise SealBroken(f"The plan is of commit {found.commit}, checked out is {here}. {CURE}")
    if found.terraform != terraform:
        raise SealBroken(f"The plan was made by Terraform {found.terraform}, here is {terraform}. {CURE}")
    now = _hashes(folder)
    if differing := sorted(name for name in {*found.files, *now} if found.files.get(name) != now.get(name)):
        raise SealBroken(f"Not as they were sealed: {', '.join(differing)}. {CURE}")
    return found


def head(checkout: Path) -> str:
    """The commit that is checked out."""
    return _git(checkout, "rev-parse", "HEAD")


def _read(folder: Path) -> Seal:
    try:
        return Seal(**json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise SealBroken(f"{folder / FILE} is no seal ({error}). {CURE}") from None


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / FILE)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _git(checkout: Path, *arguments: str) -> str:
    try:
        out = subprocess.run(["git", *arguments], cwd=checkout, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SealBroken("There is no git on this machine; a plan is sealed with its commit.") from None
    if out.returncode:
        raise SealBroken(f"`git {' '.join(arguments)}` in {checkout}: {out.stderr.strip()}")
    return out.stdout.strip()
