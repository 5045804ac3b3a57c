"""`make plan`: `cdktf diff` of every stack in the order of their references, with one line at the end.

A stack whose references have no values yet (nothing was deployed) cannot be planned by Terraform;
it is named as such, and it is no failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from scripts.cdktf_run import STACKS
from scripts.machine import ROOT, terraform_environment

_WAITS = re.compile(r"Unsupported attribute|does not have an attribute named|Unable to find remote state")
_PLAN = re.compile(r"Plan: (\d+ to add, \d+ to change, \d+ to destroy)")


def plan(stack: str) -> tuple[int, str]:
    """Shows one stack's plan; returns cdktf's exit code and a verdict of a few words."""
    environment = {**terraform_environment(), "NO_COLOR": "1", "FORCE_COLOR": "0"}
    out = subprocess.run(
        ["cdktf", "diff", stack], cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.stdout + out.stderr)
    shown = [line for line in text.splitlines() if line.strip() and not re.match(r"^\s*[⠀-⣿]", line)]
    if out.returncode and _WAITS.search(text):
        return 0, "waits for the stacks before it to be deployed"
    print("\n".join(shown))
    if found := _PLAN.search(text):
        return out.returncode, found.group(1)
    if out.returncode:
        return out.returncode, "failed"
    return 0, "changes to outputs only" if "Changes to Outputs" in text else "no changes"


def main() -> int:
    verdicts = {stack: plan(stack) for stack in STACKS}
    print(f"\nPlan for {os.environ.get('FLAN_ENV', 'local')}:")
    for stack, (_, verdict) in verdicts.items():
        print(f"  {stack:<10} {verdict}")
    return max(code for code, _ in verdicts.values())


if __name__ == "__main__":
    sys.exit(main())
