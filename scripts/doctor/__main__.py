"""`make doctor`: what would make a deploy fail, found in seconds instead of after half an hour, each with its cure.

    python -m scripts.doctor [ENV] [--brief] [--json]

Reads and asks only; changes nothing. Ends with 1 when something must be cured first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

from cdk.config import ConfigError, DeploymentConfig, load
from scripts.doctor.apis import apis
from scripts.doctor.credentials import credentials
from scripts.doctor.examination import TIME_LIMIT_S, Check, examine, worst
from scripts.doctor.finding import Finding, Level
from scripts.doctor.images import images
from scripts.doctor.places import places
from scripts.doctor.programs import programs
from scripts.doctor.quota import quota
from scripts.doctor.room import disk, ports
from scripts.doctor.service_agents import service_agents
from scripts.doctor.weights import checked as weights
from scripts.google_api import GoogleApi

COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.FAILURE: "31"}


def checks_of(config: DeploymentConfig, api: GoogleApi) -> list[Check]:
    """Every check, in the order in which they are told: this machine, the project, what is deployed."""
    return [
        Check("programs", lambda: programs(config)),
        Check("disk", disk),
        Check("ports", lambda: ports(config, api)),
        Check("weights", lambda: weights(config)),
        Check("credentials", lambda: credentials(config, api)),
        Check("APIs", lambda: apis(config, api)),
        Check("quota", lambda: quota(config, api)),
        Check("service agents", lambda: service_agents(config, api)),
        Check("places", lambda: places(config, api)),
        Check("images", lambda: images(config, api)),
    ]


def line(finding: Finding, *, colour: bool) -> str:
    level = f"{finding.level.value:<8}"
    shown = f"\033[{COLOURS[finding.level]}m{level}\033[0m" if colour else level
    text = f"  {shown} {finding.subject:<15} {finding.text}"
    return text + (f"\n{' ' * 27}cure: {finding.cure}" if finding.cure else "")


def verdict(findings: Sequence[Finding], seconds: float) -> str:
    counts = {level: sum(one.level is level for one in findings) for level in Level}
    said = f"{counts[Level.OK]} ok, {counts[Level.WARNING]} to look at, {counts[Level.FAILURE]} to cure"
    return f"{said} ({seconds:.1f} s)"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make doctor", description=__doc__.splitlines()[0])
    parser.add_argument("env", nargs="?", default=os.environ.get("FLAN_ENV") or "local", help="deployments/ENV.toml")
    parser.add_argument("--brief", action="store_true", help="only what is not ok; nothing when all is")
    parser.add_argument("--json", action="store_true", help="for machines: one JSON object")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        config = load(options.env)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    with closing(GoogleApi(config.google)) as api:
        findings = examine(checks_of(config, api), time_limit_s=TIME_LIMIT_S)
    level, seconds = worst(findings), time.monotonic() - started
    if options.json:
        body = {
            "env": config.env,
            "level": level,
            "seconds": round(seconds, 2),
            "findings": list(map(asdict, findings)),
        }
        print(json.dumps(body, indent=2))
    else:
        told = [one for one in findings if not options.brief or one.level is not Level.OK]
        for finding in told:
            print(line(finding, colour=sys.stdout.isatty()))
        if told:
            print(f"\n{config.env}: {verdict(findings, seconds)}")
    return 1 if level is Level.FAILURE else 0


if __name__ == "__main__":
    sys.exit(main())
