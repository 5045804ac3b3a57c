"""The rules as documentation: `python -m scripts.plan_review.rules.page` writes them into docs/plan-review.md.

A test holds the page against the rules, so that it cannot lie.
"""

from __future__ import annotations

import sys

from scripts.machine import ROOT
from scripts.plan_review.rules.catalogue import RULES

PAGE = ROOT / "docs" / "plan-review.md"
BEGIN, END = "<!-- rules: written by `python -m scripts.plan_review.rules.page` -->", "<!-- end of rules -->"


def rules() -> str:
    """A chapter per rule: what it finds, why that matters, what to do."""
    chapters = [
        f"### `{rule.id}`\n\nSeverity: {rule.severity}. {rule.finds}\n\n"
        f"*Why:* {rule.reason}\n\n*What to do:* {rule.cure}\n"
        for rule in RULES
    ]
    return f"{BEGIN}\n\n" + "\n".join(chapters) + f"\n{END}"


def written(page: str) -> str:
    """The page with the rules as they are now."""
    before, _, rest = page.partition(BEGIN)
    return before + rules() + rest.partition(END)[2]


def main() -> int:
    PAGE.write_text(written(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
