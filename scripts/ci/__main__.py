"""What CI does beside the commands that people have: `make ci-plan`, `ci-comment`, `ci-gate`, `ci-apply` and so on.

    python -m scripts.ci plan ENV              plans, reviews, seals; tells the seal to the next job
    python -m scripts.ci comment ENV NUMBER    the review as the pull request's one comment
    python -m scripts.ci gate ENV              1 when the review asks for a person
    python -m scripts.ci apply ENV SEAL        applies exactly the sealed plans, or refuses
    python -m scripts.ci unchanged ENV         1 when the plan would change anything
    python -m scripts.ci keep ENV BUCKET       keeps the sealed plan between two builds of Cloud Build
    python -m scripts.ci fetch ENV BUCKET SEAL brings it back
    python -m scripts.ci again ENV ROUND       starts the next round: what waited, or sees new values
    python -m scripts.ci drift ENV             an issue while the cloud differs from the branch, closed when it does not

Reads GitHub's variables where there are some; works without, so that a person or Cloud Build can run the same.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from cdk.config import ConfigError
from scripts.ci.applying import ApplyFailed, ApplyRefused
from scripts.ci.github import GithubError
from scripts.ci.jobs import Jobs, NeedsApproval, PlanFailed
from scripts.ci.seal import SealBroken
from scripts.ci.surroundings import NotInCi, Surroundings

# What ends a job with a sentence; the sentence says what to do.
ENDINGS = (ApplyFailed, ApplyRefused, ConfigError, GithubError, NeedsApproval, NotInCi, PlanFailed, SealBroken)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    jobs = Jobs(Surroundings.of(os.environ), env=options.env)
    try:
        _run(jobs, options)
    except (
        ApplyFailed,
        ApplyRefused,
        ConfigError,
        GithubError,
        NeedsApproval,
        NotInCi,
        PlanFailed,
        SealBroken,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(jobs: Jobs, options: argparse.Namespace) -> None:
    todo: dict[str, Callable[[], object]] = {
        "plan": lambda: jobs.plan(options.labels),
        "comment": lambda: jobs.comment(options.number),
        "gate": jobs.gate,
        "unchanged": jobs.unchanged,
        "apply": lambda: jobs.apply(options.seal, tip=options.tip),
        "keep": lambda: jobs.keep(options.bucket),
        "fetch": lambda: jobs.fetch(options.bucket, options.seal),
        "again": lambda: jobs.again(options.round),
        "drift": jobs.drift,
    }
    todo[options.job]()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.ci", description=__doc__.splitlines()[0])
    jobs = parser.add_subparsers(dest="job", required=True)
    for name in ("plan", "comment", "gate", "unchanged", "apply", "keep", "fetch", "again", "drift"):
        jobs.add_parser(name).add_argument("env", help="the deployment: deployments/ENV.toml")
    jobs.choices["plan"].add_argument("--labels", default="", help="the pull request's labels, which allow risks")
    jobs.choices["comment"].add_argument("number", type=int, help="of the pull request")
    jobs.choices["apply"].add_argument("seal", help="sha256:… of the plan that was approved")
    jobs.choices["apply"].add_argument("--tip", default="", help="refuse unless the commit is this branch's newest")
    for name in ("keep", "fetch"):
        jobs.choices[name].add_argument("bucket", help="where plans are kept")
    jobs.choices["fetch"].add_argument("seal", help="sha256:… of the plan that was approved")
    jobs.choices["again"].add_argument("round", type=int, help="of the run that has just applied; the first is 1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
