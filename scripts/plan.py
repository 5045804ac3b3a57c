"""`make plan`: synthesizes once, plans every stack side by side, and reviews what would change.

FLAN_ENV names the deployment; default local. The plans stay in .flanstack/plans/ENV, with the review as Markdown and
JSON, for a pull request and for `terraform apply`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from cdk.__main__ import synthesize_deployment
from cdk.config import ConfigError, load
from cdk.prices.table import PriceUnknown
from cdk.sources import SourceError
from scripts.machine import ROOT
from scripts.plan_review.command import EXIT_CODES, FAILED, add_arguments, names, run
from scripts.plan_review.policy import PolicyError, check_rules
from scripts.terraform_plans import PlanFailed, Timing, plan_stacks


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.plan", description=(__doc__ or "").splitlines()[0], epilog=EXIT_CODES
    )
    parser.add_argument("--out", type=Path, help="where the plans are kept; default .flanstack/plans/ENV")
    parser.add_argument("--destroy", default="", metavar="STACK,STACK", help="plan the end of these stacks")
    parser.add_argument("--timings", action="store_true", help="say where the time went")
    add_arguments(parser)
    arguments = parser.parse_args()
    env = os.environ.get("FLAN_ENV") or "local"
    folder = arguments.out or ROOT / ".flanstack" / "plans" / env
    try:
        config = load(env)
        check_rules(config.review.rules, f"deployments/{env}.toml: review.rules")  # before minutes go by
        started = time.monotonic()
        synthesized = synthesize_deployment(config)
        done = time.monotonic()
        timings = plan_stacks(synthesized, folder, env=env, destroyed=names(arguments.destroy))
        planned = time.monotonic()
        status = run(folder, arguments)
    except (ConfigError, SourceError, PriceUnknown, PolicyError, PlanFailed) as error:
        print(error, file=sys.stderr)
        return FAILED
    if arguments.timings:
        print(_told(timings, synth_s=done - started, plans_s=planned - done, review_s=time.monotonic() - planned))
    return status


def _told(timings: list[Timing], *, synth_s: float, plans_s: float, review_s: float) -> str:
    lines = [f"\nsynth {synth_s:.1f} s, plans {plans_s:.1f} s, review {review_s:.2f} s"]
    lines += [f"  {one.stack:<10} init {one.init_s:.1f} plan {one.plan_s:.1f} show {one.show_s:.1f}" for one in timings]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
