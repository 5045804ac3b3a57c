"""The review for a terminal: the same words as the Markdown, in columns, with colour where the reader wants it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from scripts.plan_review.policy import Finding
from scripts.plan_review.rendering.figures import once, usd
from scripts.plan_review.rendering.grouping import by_rule
from scripts.plan_review.review import Review

BOLD, RED, YELLOW, BLUE, GREEN, DIM = "1", "31", "33", "34", "32", "2"
COLOURS = {"high": RED, "medium": YELLOW, "low": BLUE}


def render(review: Review, *, width: int = 100, colour: bool = False) -> str:
    pen = Pen(colour)
    state = pen(RED, review.verdict) if review.needs_approval else pen(GREEN, review.verdict)
    lines = [f"{pen(BOLD, f'Plan for {review.env}:')} {state}"]
    for title, body in (
        ("Risks", _risks(review.findings, width, pen)),
        ("What it costs, USD per hour", _cost(review)),
        ("What changes", _changes(review)),
        ("What follows, once the stacks before are applied", _follows(review)),
        ("Model version", _promotions(review)),
        ("Changed outside Terraform", _drift(review)),
        ("What Terraform cannot plan yet", _waits(review)),
        ("What the stacks warn of", (f"  {text.stack}: {hint}" for text in review.texts for hint in text.hints)),
    ):
        if told := list(body):
            lines += ["", pen(BOLD, title), *told]
    return "\n".join(lines) + "\n"


class Pen:
    """Colours a text, or leaves it."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _risks(findings: Sequence[Finding], width: int, pen: Pen) -> Iterator[str]:
    if not findings:
        yield "  None found."
    for group in by_rule(findings):
        first = group[0]
        mark = "needs approval" if first.needs_approval else "allowed" if first.is_allowed else "for information"
        yield f"  {pen(COLOURS[first.severity], f'{first.severity:<6}')} {pen(BOLD, first.rule.id)} ({mark})"
        texts = [
            " ".join(filter(None, (one.hit.stack, one.hit.address and f"{one.hit.address}:", one.hit.what)))
            for one in group
        ]
        texts += [first.rule.reason, f"Cure: {first.rule.cure}"]
        if first.needs_approval:
            texts.append(f"Allowed by the label {first.allowed_by}, or --allow {first.rule.id}.")
        for text in texts:
            yield textwrap.fill(text, width, initial_indent=" " * 9, subsequent_indent=" " * 11)


def _cost(review: Review) -> Iterator[str]:
    bill = review.bill
    rows = [(line.stack, line.what, usd(line.before, digits=4), usd(line.after, digits=4)) for line in bill.lines]
    rows += [
        ("", name, usd(old), usd(new))
        for name, old, new in (
            ("per hour", bill.before, bill.after),
            ("per day", bill.before.per_day, bill.after.per_day),
            ("per month of 730 hours", bill.before.per_month, bill.after.per_month),
        )
    ]
    yield from _columns([("stack", "resource", "before", "after"), *rows])
    for one in bill.once:
        yield f"  once: {one.stack} {one.address}: {once(one)}, {one.what}"
    for line in bill.unknown:
        yield f"  unknown: {line.what}: {line.after.unknown if line.after else ''}"
    yield f"  List prices of {bill.dated}; `make price` has their sources."


def _changes(review: Review) -> Iterator[str]:
    if not review.rows:
        yield "  Nothing."
    for row in review.rows:
        yield f"  {row.stack}: {row.what} {row.happens}"
        yield from _columns([(f"  {one.path}", one.old, "→", one.new) for one in row.rows])


def _follows(review: Review) -> Iterator[str]:
    for one, consequence in review.follows:
        cause = f"since `{one.attribute}` comes from {one.stack}"
        yield f"  {one.change.stack}: {one.change.address} {consequence}, {cause}"


def _promotions(review: Review) -> Iterator[str]:
    for one in review.promotions:
        yield from _columns([("label", "old", "new"), *one.rows] if one.rows else [])
        if one.rule:
            yield f"  Rule: {one.rule}."
        if one.verdict:
            yield f"  Verdict: {one.verdict}"


def _drift(review: Review) -> Iterator[str]:
    for stack, one in review.drift:
        yield f"  {stack}: {one.address} {'is gone' if one.is_gone else 'was changed'}"
        yield from _columns([(f"  {path}", old, "→", new) for path, old, new in one.rows])


def _waits(review: Review) -> Iterator[str]:
    for text in review.texts:
        if text.waits_for:
            yield f"  {text.stack} waits for {', '.join(text.waits_for)}; told and priced from what was synthesized"


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))] if rows else []
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
