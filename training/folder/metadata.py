"""What travels with a model folder besides weights: the prompt template, the git commit. Knows no training.

The template is the key `prompt_template` of config.json; serving reads it there. It is no part of
`task_specific_params`: every T5 checkpoint carries four of those (summarize, translate, …) as suggestions, and a server
that applied one of them to every prompt would break the others.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

TEMPLATE = "prompt_template"
ROOT = Path(__file__).resolve().parent.parent.parent


def write_template(folder: Path, template: str) -> None:
    path = folder / "config.json"
    values = json.loads(path.read_text()) | {TEMPLATE: template}
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def read_template(folder: Path) -> str | None:
    template = json.loads((folder / "config.json").read_text()).get(TEMPLATE)
    return template if isinstance(template, str) else None


def git_sha() -> str:
    """Of the code that trains: GIT_SHA where an image was built with it, else what git says, else `unknown`."""
    if os.environ.get("GIT_SHA"):
        return os.environ["GIT_SHA"]
    try:
        run = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, timeout=10)
    except OSError:
        return "unknown"
    return run.stdout.strip() if run.returncode == 0 else "unknown"
