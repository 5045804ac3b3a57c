"""Terraform's own plans below a fold, cut where a comment has no room, with how much was cut.

Knows texts and a number of characters; knows nothing of reviews.
"""

from __future__ import annotations

from collections.abc import Sequence

from scripts.plan_review.review import StackText

UNCHANGED = "No changes."  # how Terraform begins to say so
MARGIN = 300  # of a fold that is cut: its frame and the note


def folds(texts: Sequence[StackText], *, room: int, artefact: str = "") -> str:
    """One fold per stack. Short ones are whole first; what is left of the room is shared by the long ones."""
    shown = [text for text in texts if text.text.strip() and not text.text.startswith(UNCHANGED)]
    same = [f"`{text.stack}`" for text in texts if text.text.startswith(UNCHANGED)]
    told = f"\nTerraform finds no changes in {', '.join(same)}.\n" if same else ""
    room -= len(told)
    share = _share([len(_fold(text, text.text)) for text in shown], room)
    parts = []
    for text in shown:
        whole = _fold(text, text.text)
        if len(whole) <= share:
            parts.append(whole)
        elif share > 2 * MARGIN:
            parts.append(_fold(text, cut(text.text, share - MARGIN, artefact)))
        else:
            count = len(text.text.splitlines())
            parts.append(f"\n`{text.stack}`: the plan's {count} lines have no room here{_where(artefact)}.\n")
    out = "".join(parts)
    if len(out) > room:
        out = cut(out, room - MARGIN, artefact) if room > MARGIN else ""
    return told + out if room >= 0 else ""


def cut(text: str, room: int, artefact: str = "") -> str:
    """The first whole lines that fit, and how many did not."""
    lines, kept, length = text.splitlines(), 0, 0
    while kept < len(lines) and length + len(lines[kept]) + 1 <= room:
        length += len(lines[kept]) + 1
        kept += 1
    left = len(lines) - kept
    return "\n".join([*lines[:kept], f"… {left} lines cut{_where(artefact)}."])


def _where(artefact: str) -> str:
    return f"; the whole plan is in {artefact}" if artefact else ""


def _fold(text: StackText, plan: str) -> str:
    # A fence longer than any in the plan, so that the plan cannot end it.
    fence = "`" * max(4, max((len(run) for run in plan.split() if set(run) == {"`"}), default=0) + 1)
    summary = f"<summary>Terraform's plan of <code>{text.stack}</code>: {text.summary}</summary>"
    return f"\n<details>{summary}\n\n{fence}text\n{plan.strip()}\n{fence}\n\n</details>\n"


def _share(lengths: Sequence[int], room: int) -> int:
    """The most that one may take, so that all fit."""
    waiting = sorted(lengths)
    while waiting and waiting[0] <= room // len(waiting):
        room -= waiting.pop(0)
    return room // len(waiting) if waiting else max([*lengths, room])
