"""Whether a commit is still the newest of its branch: an approval that came late must not undo what came since."""

from __future__ import annotations

import subprocess
from pathlib import Path

from scripts.ci.seal import CURE, SealBroken


def newest_at(checkout: Path, ref: str, *, remote: str = "origin") -> str:
    """Where the remote's branch is, as git tells. SealBroken when it cannot be asked."""
    out = subprocess.run(
        ["git", "ls-remote", "--exit-code", remote, ref], cwd=checkout, capture_output=True, text=True, check=False
    )
    if out.returncode:
        raise SealBroken(f"{remote} does not tell where {ref} is: {out.stderr.strip() or 'there is none'}")
    return out.stdout.split()[0]


def check_tip(*, commit: str, ref: str, newest: str) -> None:
    """SealBroken when the branch has moved on."""
    if newest != commit:
        raise SealBroken(f"{ref} is at {newest} by now, the plan is of {commit}. {CURE}")
