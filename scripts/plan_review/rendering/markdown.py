"""The review as Markdown for a pull request: never longer than a comment, the same bytes for the same plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.plan_review.cost.amounts import Bill, Line
from scripts.plan_review.policy import Finding
from scripts.plan_review.rendering import fold
from scripts.plan_review.rendering.figures import once, usd
from scripts.plan_review.rendering.grouping import by_rule
from scripts.plan_review.review import Review

# GitHub refuses a comment of more characters; what the caller puts around it must fit too.
COMMENT = 65_536
MAX_CHARACTERS = COMMENT - 536
MAX_ROWS = 60  # of one table
MAX_TOLD = 10  # finds of one rule


def render(review: Review, *, artefact: str = "", max_characters: int = MAX_CHARACTERS) -> str:
    """artefact: where the whole plan is, for what is cut."""
    sections = [
        [f"<!-- plan review: {review.env} -->", f"## Plan for `{review.env}`: {review.verdict}"],
        _risks(review),
        _cost(review.bill),
        _changes(review),
        _follows(review),
        _promotions(review),
        _drift(review),
        _waits(review),
        _hints(review),
    ]
    head = "\n\n".join("\n".join(section) for section in sections if section) + "\n"
    if len(head) > max_characters:  # tables are cut to MAX_ROWS; this is for values without end
        head = fold.cut(head, max_characters - 200, artefact)
    return head + fold.folds(review.texts, room=max_characters - len(head), artefact=artefact)


def _risks(review: Review) -> list[str]:
    if not review.findings:
        return ["### Risks", "", "None found."]
    rows = []
    for group in by_rule(review.findings):
        first = group[0]
        rows.append(
            (
                f"**{first.severity}, needs approval**" if first.needs_approval else str(first.severity),
                f"`{first.rule.id}`",
                "<br>".join(_told(one) for one in group[:MAX_TOLD])
                + (f"<br>… and {len(group) - MAX_TOLD} more" if len(group) > MAX_TOLD else ""),
                f"{_cell(first.rule.reason)} *{_cell(first.rule.cure)}*",
                f"`{first.allowed_by}`" + (" (given)" if first.is_allowed else ""),
            )
        )
    return ["### Risks", "", *_table(("severity", "rule", "what", "why, and *what to do*", "allowed by"), rows)]


def _told(finding: Finding) -> str:
    place = " ".join(filter(None, (finding.hit.stack, f"`{finding.hit.address}`" if finding.hit.address else "")))
    return f"{place}: {_cell(finding.hit.what)}" if place else _cell(finding.hit.what)


def _cost(bill: Bill) -> list[str]:
    before, after = bill.before, bill.after
    rows = [
        (line.stack, _cell(line.what), usd(line.before, digits=4), usd(line.after, digits=4)) for line in bill.lines
    ]
    rows += [
        ("", f"**{name}**", f"**{usd(old)}**", f"**{usd(new)}**")
        for name, old, new in (
            ("USD per hour", before, after),
            ("USD per day", before.per_day, after.per_day),
            ("USD per month of 730 hours", before.per_month, after.per_month),
        )
    ]
    table = _table(("stack", "resource", "before, USD/h", "after, USD/h"), rows, always=3)
    notes = [f"List prices of {bill.dated}. Ranges go from rest to every replica busy; traffic and taxes are left out."]
    if sources := list(_notes(bill.lines)):
        folded = "<details><summary>What the prices are, and where they were read</summary>"
        notes += ["", folded, "", *(f"- {text}" for text in sources), "", "</details>"]
    paid = [f"- {one.stack}, `{one.address}`: {once(one)} – {_cell(one.what)}" for one in bill.once[:MAX_ROWS]]
    return ["### What it costs", "", *table, *(["", "Once, in USD:", "", *paid] if paid else []), "", *notes]


def _notes(lines: Sequence[Line]) -> Iterator[str]:
    """Each price's note and source once, and what is not known."""
    seen = set()
    for line in lines:
        unknown = next((cost.unknown for cost in (line.after, line.before) if cost and cost.unknown), "")
        text = f"{line.what}: unknown, because {unknown}" if unknown else line.note
        source = f" Source: {line.source}." if line.source and text else ""
        if text and text + source not in seen:
            seen.add(text + source)
            yield _cell(text + source)


def _changes(review: Review) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for row in review.rows:
        first = (row.stack, f"{_cell(row.what)} {row.happens}")
        rows += [
            (*(first if number == 0 else ("", "")), f"`{one.path}`", _value(one.old), _value(one.new))
            for number, one in enumerate(row.rows)
        ] or [(*first, "", "", "")]
    if not rows:
        return ["### What changes", "", "Nothing."]
    return ["### What changes", "", *_table(("stack", "change", "attribute", "old", "new"), rows)]


def _follows(review: Review) -> list[str]:
    if not review.follows:
        return []
    rows = [
        (one.change.stack, f"`{one.change.address}`", f"`{one.attribute}`", f"`{one.stack}` is applied", consequence)
        for one, consequence in review.follows
    ]
    head = ["### What follows", "", "No plan shows it yet: it happens when what it refers to has been applied.", ""]
    return [*head, *_table(("stack", "resource", "attribute", "changes when", "then it"), rows)]


def _promotions(review: Review) -> list[str]:
    lines: list[str] = []
    for one in review.promotions:
        lines += ["### Model version", ""]
        lines += _table(("label", "old version", "new version"), [(f"`{key}`", old, new) for key, old, new in one.rows])
        lines += ["", f"Rule: {_cell(one.rule)}."] if one.rule else []
        lines += ["", f"Verdict: {_cell(one.verdict)}."] if one.verdict else []
    return lines


def _drift(review: Review) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for stack, one in review.drift:
        undone = "made again" if one.is_gone and one.is_undone else "put back" if one.is_undone else "left as it is"
        if one.is_gone:
            rows.append((stack, f"`{one.address}`", "", "", "gone", undone))
        rows += [
            (stack, f"`{one.address}`", f"`{path}`", _value(old), _value(new), undone) for path, old, new in one.rows
        ]
    if not rows:
        return []
    head = ["### Changed outside Terraform", ""]
    return [*head, *_table(("stack", "resource", "attribute", "in the state", "found", "the apply"), rows)]


def _waits(review: Review) -> list[str]:
    waiting = [text for text in review.texts if text.waits_for]
    if not waiting:
        return []
    lines = ["### What Terraform cannot plan yet", ""]
    return lines + [
        f"- `{text.stack}` waits for {', '.join(f'`{one}`' for one in text.waits_for)}, which has not been applied; "
        "what it declares is told and priced from what was synthesized."
        for text in waiting
    ]


def _hints(review: Review) -> list[str]:
    lines = [f"- `{text.stack}`: {_cell(hint)}" for text in review.texts for hint in text.hints]
    return ["### What the stacks warn of", "", *lines] if lines else []


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, always: int = 0) -> list[str]:
    """always: how many of the last rows stay when the table is cut."""
    cut = len(rows) - MAX_ROWS
    if cut > 0:
        kept = MAX_ROWS - always
        note = [f"… and {cut} more", *[""] * (len(head) - 1)]
        rows = [*rows[:kept], note, *rows[len(rows) - always :]]
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _value(text: str) -> str:
    return f"`{text.replace('`', '´').replace('|', '¦')}`" if text not in ("–", "") else text


def _cell(text: str) -> str:
    """Text that stays in its cell: no pipe, no tag, no new line."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
