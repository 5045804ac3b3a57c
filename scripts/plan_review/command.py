"""A review from a folder of saved plans: made, written beside them, and shown. Shared by both commands."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from cdk.config import load
from scripts.plan_review import saved
from scripts.plan_review.proposal import propose
from scripts.plan_review.rendering import document, markdown, terminal
from scripts.plan_review.review import Review, review

FINE, FAILED, NEEDS_APPROVAL = 0, 1, 2
EXIT_CODES = "Exit status: 0 nothing needs approval, 2 something does, 1 an error."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that both commands have."""
    parser.add_argument("--labels", default="", metavar="A,B", help="labels of the pull request, which allow risks")
    parser.add_argument("--allow", default="", metavar="RULE,RULE", help="rules whose findings need no approval")
    parser.add_argument(
        "--format", choices=("terminal", "markdown", "json"), default="terminal", help="what is printed"
    )
    parser.add_argument(
        "--artefact", default="", metavar="TEXT", help="where the whole plan is, for a comment that is cut"
    )


def run(folder: Path, arguments: argparse.Namespace) -> int:
    """Reviews the folder's plans, writes review.md and review.json beside them, prints one. Returns the exit status."""
    env, plans = saved.read(folder)
    made = review(propose(plans, load(env)), labels=names(arguments.labels), allowed=names(arguments.allow))
    artefact = arguments.artefact or f"`{folder.name}/`"
    (folder / "review.md").write_text(markdown.render(made, artefact=artefact))
    (folder / "review.json").write_text(document.render(made))
    print(_rendered(made, arguments.format, artefact), end="")
    return NEEDS_APPROVAL if made.needs_approval else FINE


def _rendered(made: Review, form: str, artefact: str) -> str:
    if form == "markdown":
        return markdown.render(made, artefact=artefact)
    if form == "json":
        return document.render(made)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return terminal.render(made, width=min(shutil.get_terminal_size((100, 24)).columns, 120), colour=colour)


def names(text: str) -> list[str]:
    """`a, b` as it is given on a command line."""
    return [name.strip() for name in text.split(",") if name.strip()]
