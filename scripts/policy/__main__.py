"""`make policy`: checkov's rules on the synthesized stacks, beside our own review.

checkov lives in an environment of its own, made on the first run, since what it pins would fight with ours. It knows
buckets, registries, grants and endpoints; of Cloud Run v2 and of our own provider it has no rule: the plan review has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from cdk.__main__ import synthesize_deployment
from cdk.config import ConfigError, load
from cdk.sources import SourceError
from scripts.machine import ROOT
from scripts.policy.findings import Outcome, PolicyCheckFailed, judge, suppressions

VERSION = "3.3.30"
HOME = ROOT / ".flanstack" / "checkov"
SUPPRESSIONS = Path(__file__).with_name("suppressions.toml")


def main() -> int:
    env = os.environ.get("FLAN_ENV") or "local"
    try:
        reasons = suppressions(SUPPRESSIONS)
        folder = synthesize_deployment(load(env))
        files = sorted((folder / "stacks").glob("*/cdk.tf.json"))
        outcome = judge(check(files), reasons, present=resources(files))
    except (ConfigError, SourceError, PolicyCheckFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print(told(outcome))
    return 0 if outcome.is_fine else 1


def check(files: list[Path]) -> str:
    """checkov's JSON on these files."""
    program = HOME / "bin" / "checkov"
    if not program.exists():
        print(f"Installing checkov {VERSION} into {HOME.relative_to(ROOT)}, once; it takes a minute.", file=sys.stderr)
        venv.create(HOME, with_pip=True, clear=True)
        pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", f"checkov=={VERSION}"]
        out = subprocess.run(pip, capture_output=True, text=True, check=False)
        if out.returncode:
            raise PolicyCheckFailed(f"checkov {VERSION} could not be installed:\n{out.stderr[-2000:]}")
    named = [argument for file in files for argument in ("-f", str(file))]
    # Without the framework named, checkov takes the files for something else, checks nothing and is content.
    options = ["--framework", "terraform_json", "--skip-download", "--compact", "--quiet", "-o", "json"]
    out = subprocess.run([program, *named, *options], capture_output=True, text=True, check=False)
    return out.stdout or out.stderr


def resources(files: list[Path]) -> set[str]:
    """Every resource of these stacks, with its type and without: checkov names them either way."""
    kinds = [
        (kind, names) for file in files for kind, names in json.loads(file.read_text()).get("resource", {}).items()
    ]
    return {text for kind, names in kinds for name in names for text in (name, f"{kind}.{name}")}


def told(outcome: Outcome) -> str:
    lines = [f"checkov {VERSION}: {outcome.passed} checks passed, {len(outcome.suppressed)} suppressed with a reason."]
    lines += [f"  fails       {one.check} {one.resource}: {one.what}" for one in outcome.open]
    lines += [f"  suppressed  {one.check} {one.resource}: {reason}" for one, reason in outcome.suppressed]
    lines += [
        f"  stale       {check} {resource}: finds nothing any more; take it out of {SUPPRESSIONS.name}"
        for check, resource in outcome.stale
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
