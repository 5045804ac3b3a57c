"""`make destroy`: `cdktf destroy`, and a receipt that proves that the bill has stopped.

    python -m scripts.destroy ENV [--stack endpoint] [--yes] [--json]
    python -m scripts.destroy ENV --look        (make receipt: looks, destroys nothing)

Ends with 1 when anything remains, or when that is not known; with 130 after Ctrl-C, with a receipt all the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cdk.config import ConfigError, DeploymentConfig, load
from scripts.cdktf_run import STACKS, CdktfFailed, CdktfRun
from scripts.cdktf_run import destroy as cdktf_destroy
from scripts.destroy.document import receipt_document
from scripts.destroy.receipt import Receipt, receipt
from scripts.destroy.sweep import Sweep, sweep
from scripts.destroy.text import money, receipt_text, running_text
from scripts.destroy.way_back import way_back
from scripts.machine import ROOT
from scripts.progress_line import ProgressFollower
from scripts.timeline import Timeline

LOGS = ROOT / ".flanstack" / "logs"
PROGRESS = LOGS / "destroy-progress.jsonl"
INTERRUPTED = 130


@dataclass(frozen=True)
class Outcome:
    """code: what the program ends with. trouble: what went wrong on the way, for people."""

    code: int
    trouble: str = ""


def confirm(config: DeploymentConfig, scope: str | None, before: Sweep, *, yes: bool) -> bool:
    """Whether to go on: `--yes`, or the deployment's name typed at a terminal."""
    found = before.of(scope).goes_on
    hourly = sum(one.price.usd_per_hour or 0.0 for one in found)
    told = running_text(found, datetime.now(UTC)) or "  Nothing of it is to be seen; its Terraform state is destroyed."
    print(f"{told}\n  About USD {money(hourly)} per hour while it is up.\n", file=sys.stderr)
    if yes:
        return True
    if not sys.stdin.isatty():
        print("No terminal to ask at: give YES=1 (--yes) to destroy without being asked.", file=sys.stderr)
        return False
    what = f"stack {scope} of {config.env}" if scope else f"all of {config.env}"
    return input(f"Destroy {what}? Type {config.env} to go on: ").strip() == config.env


def destroy(config: DeploymentConfig, scope: str | None, timeline: Timeline) -> Outcome:
    """`cdktf destroy` of one stack or all. Never raises for what a receipt should still be made of."""
    log = LOGS / f"destroy-{config.env}.log"
    try:
        with timeline.phase(f"cdktf destroy {scope or 'of all stacks'}") as phase, ProgressFollower(PROGRESS, phase):

            def make_run(variables: dict[str, str]) -> CdktfRun:
                return CdktfRun(
                    "destroy",
                    log=log,
                    on_step=lambda stack, step: phase.note(f"{stack}: {step}"),
                    extra_environment={"FLAN_ENV": config.env, "FLANSTACK_PROGRESS_FILE": str(PROGRESS), **variables},
                    stacks=(scope,) if scope else ("*",),
                )

            cdktf_destroy(make_run)
            phase.note("")
    except KeyboardInterrupt:
        return Outcome(INTERRUPTED, "Stopped. What was destroyed is gone; run the same command to go on.")
    except CdktfFailed as error:
        return Outcome(1, f"{error}\n\nAll of it: {log}. Mend it and run the same command again.")
    return Outcome(0)


def make_receipt(config: DeploymentConfig, scope: str | None, before: Sweep) -> Receipt:
    after = sweep(config)
    return receipt(env=config.env, scope=scope, before=before, after=after, at=datetime.now(UTC))


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        config = load(options.env)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    scope: str | None = options.stack
    try:
        before, outcome = sweep(config), Outcome(0)
        if not options.look:
            if not confirm(config, scope, before, yes=options.yes):
                print("Nothing was destroyed.", file=sys.stderr)
                return 1
            outcome = destroy(config, scope, Timeline(sys.stderr))
        made = make_receipt(config, scope, before)
    except KeyboardInterrupt:
        print(f"\nStopped before a receipt was made: make receipt ENV={config.env}", file=sys.stderr)
        return INTERRUPTED
    back = way_back(config) if scope == "endpoint" and not options.look else ""
    if options.json:
        print(json.dumps(receipt_document(made, back=back), indent=2))
    else:
        print(receipt_text(made, config, back=back))
    if outcome.trouble:
        print(f"\n{outcome.trouble}", file=sys.stderr)
    return outcome.code or (0 if made.is_clean else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make destroy", description=__doc__.splitlines()[0])
    parser.add_argument("env", help="the deployment: deployments/ENV.toml")
    only = "only this one; `endpoint` is the one that costs by the hour"
    parser.add_argument("--stack", choices=(*STACKS, "training"), help=only)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--look", action="store_true", help="destroy nothing: say what is up and what it costs")
    parser.add_argument("--json", action="store_true", help="the receipt for machines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
