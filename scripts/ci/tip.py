"""Whether a commit is still the newest of its branch: an approval that came late must not undo what came since."""

from __future__ import annotations

import subprocess
from pathlib import Path

from scripts.ci.seal import CURE, SealBroken


def check_tip(checkout: Path, *, commit: str, ref: str, remote: str = "origin") -> None:
    """SealBroken when the remote's branch is elsewhere, or cannot be asked."""
    out = subprocess.run(
        ["git", "ls-remote", "--exit-code", remote, ref], cwd=checkout, capture_output=True, text=True, check=False
    )
    if out.returncode:
        raise SealBroken(f"{remote} does not tell where {ref} is: {out.stderr.strip() or 'there is none'}")
    newest = out.stdout.split()[0]
    if newest != commit:
        raise SealBroken(f"{ref} is at {newest} by now, the plan is of {commit}. {CURE}")
