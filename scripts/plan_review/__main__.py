"""`python -m scripts.plan_review FOLDER`: reviews saved plans once more, without Terraform.

For when a label was added, or another job made the plans (`make plan` saves them in .flanstack/plans/ENV).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cdk.config import ConfigError
from scripts.plan_review.command import EXIT_CODES, FAILED, add_arguments, run
from scripts.plan_review.policy import PolicyError
from scripts.plan_review.saved import PlansMissing


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.plan_review", description=(__doc__ or "").splitlines()[0], epilog=EXIT_CODES
    )
    parser.add_argument("folder", type=Path, help="where the plans are")
    add_arguments(parser)
    arguments = parser.parse_args()
    try:
        return run(arguments.folder, arguments)
    except (ConfigError, PlansMissing, PolicyError) as error:
        print(error, file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
