"""What CI does beside the commands that people have: `make ci-plan`, `ci-comment`, `ci-apply`, `ci-again`, `ci-drift`.

    python -m scripts.ci plan ENV              plans, reviews, seals; tells the seal to the next job
    python -m scripts.ci comment ENV NUMBER    the review as the pull request's one comment
    python -m scripts.ci apply ENV SEAL        applies exactly the sealed plans, or refuses
    python -m scripts.ci again ENV ROUND       starts the next round: what waited, or sees new values
    python -m scripts.ci drift ENV             an issue while the cloud differs from the branch, closed when it does not

Reads GitHub's variables where there are some; works without, so that a person or Cloud Build can run the same.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from scripts.ci.applying import ApplyFailed, ApplyRefused
from scripts.ci.github import GithubError
from scripts.ci.jobs import Jobs, PlanFailed
from scripts.ci.seal import SealBroken
from scripts.ci.surroundings import NotInCi, Surroundings
from scripts.plan_review.saved import PlansMissing


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    jobs = Jobs(Surroundings.of(os.environ), env=options.env)
    try:
        if options.job == "plan":
            jobs.plan(options.labels)
        elif options.job == "comment":
            jobs.comment(options.number)
        elif options.job == "apply":
            jobs.apply(options.seal, tip=options.tip)
        elif options.job == "again":
            jobs.again(options.round)
        else:
            jobs.drift()
    except (ApplyFailed, ApplyRefused, GithubError, NotInCi, PlanFailed, PlansMissing, SealBroken) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.ci", description=__doc__.splitlines()[0])
    jobs = parser.add_subparsers(dest="job", required=True)
    for name in ("plan", "comment", "apply", "again", "drift"):
        jobs.add_parser(name).add_argument("env", help="the deployment: deployments/ENV.toml")
    jobs.choices["plan"].add_argument("--labels", default="", help="the pull request's labels, which allow risks")
    jobs.choices["comment"].add_argument("number", type=int, help="of the pull request")
    jobs.choices["apply"].add_argument("seal", help="sha256:… of the plan that was approved")
    jobs.choices["apply"].add_argument("--tip", default="", help="refuse unless the commit is this branch's newest")
    jobs.choices["again"].add_argument("round", type=int, help="of the run that has just applied; the first is 1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
