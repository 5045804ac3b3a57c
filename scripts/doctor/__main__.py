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
from dataclasses import asdict

from cdk.config import ConfigError, load
from scripts.doctor.examination import worst
from scripts.doctor.finding import Level
from scripts.doctor.rounds import findings_of
from scripts.doctor.text import line, verdict


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
    findings = findings_of(config)
    level, seconds = worst(findings), time.monotonic() - started
    if options.json:
        told_all = {"level": level, "seconds": round(seconds, 2), "findings": [asdict(one) for one in findings]}
        print(json.dumps({"env": config.env, **told_all}, indent=2))
    else:
        told = [one for one in findings if not options.brief or one.level is not Level.OK]
        for finding in told:
            print(line(finding, colour=sys.stdout.isatty()))
        if told:
            print(f"\n{config.env}: {verdict(findings, seconds)}")
    return 1 if level is Level.FAILURE else 0


if __name__ == "__main__":
    sys.exit(main())
