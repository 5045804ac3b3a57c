"""`make plan`: synthesizes once, plans every stack side by side, and reviews what would change.

FLAN_ENV names the deployment; default local. The plans stay in .flanstack/plans/ENV, with the review as Markdown and
JSON, for a pull request and for `terraform apply`.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from cdk.__main__ import synthesize_deployment
from cdk.config import ConfigError, load
from cdk.prices.table import PriceUnknown
from cdk.sources import SourceError
from scripts.machine import ROOT, MachineUnfit, check_terraform
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
        check_terraform()
        config = load(env)
        check_rules(config.review.rules, f"deployments/{env}.toml: review.rules")  # before minutes go by
        started = time.monotonic()
        synthesized = synthesize_deployment(config)
        done = time.monotonic()
        timings = plan_stacks(synthesized, folder, env=env, destroyed=names(arguments.destroy))
        planned = time.monotonic()
        status = run(folder, arguments)
    except PlanFailed as error:
        print(f"{error}{_hint(config.google.api_endpoint)}", file=sys.stderr)
        return FAILED
    except (ConfigError, MachineUnfit, SourceError, PriceUnknown, PolicyError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\nStopped; a plan changes nothing.", file=sys.stderr)
        return 130
    if arguments.timings:
        print(_told(timings, synth_s=done - started, plans_s=planned - done, review_s=time.monotonic() - planned))
    return status


def _hint(address: str | None) -> str:
    """A likelier cause than Terraform's words tell: nothing listens where the deployment's cloud should be."""
    if address is None:
        return ""
    host, port = urlsplit(address).hostname, urlsplit(address).port or 80
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return f"\nNothing listens on {address}, which is this deployment's cloud; `make up` starts the local one."
    return ""


def _told(timings: list[Timing], *, synth_s: float, plans_s: float, review_s: float) -> str:
    lines = [f"\nsynth {synth_s:.1f} s, plans {plans_s:.1f} s, review {review_s:.2f} s"]
    lines += [f"  {one.stack:<10} init {one.init_s:.1f} plan {one.plan_s:.1f} show {one.show_s:.1f}" for one in timings]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
