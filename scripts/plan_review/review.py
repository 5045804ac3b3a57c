"""The review: everything that a reader of a pull request is told, ready to be rendered.

Counts, words and the verdict are made here, once, so that Markdown, terminal and JSON cannot differ in what they say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from scripts.plan_review.cost.amounts import Bill
from scripts.plan_review.plan.drift import Drift, drifted
from scripts.plan_review.plan.follows import Follow
from scripts.plan_review.plan.plans import Action, Change
from scripts.plan_review.plan.redeployment import Redeployment, redeployment
from scripts.plan_review.plan.values import Difference, block, differences
from scripts.plan_review.policy import Finding, judge
from scripts.plan_review.promotion import Promotion, promotions
from scripts.plan_review.proposal import Proposal
from scripts.plan_review.verdict import Counts, counted, verdict
from scripts.plan_review.words import is_grant, is_rebuilt, name, names, verb

GROUPED_FROM = 3  # additions of one kind in one stack that are told as one row


@dataclass(frozen=True)
class Row:
    """One change in plain words. rows: what differs; empty for what is added or destroyed."""

    stack: str
    address: str
    what: str
    happens: str
    rows: tuple[Difference, ...]


@dataclass(frozen=True)
class StackText:
    """Terraform's own plan of a stack, for the fold. waits_for: why it is not whole; hints: what the stack warns of."""

    stack: str
    summary: str
    text: str
    waits_for: tuple[str, ...]
    hints: tuple[str, ...]


@dataclass(frozen=True)
class Review:
    """status: `fine` or `needs approval`."""

    env: str
    verdict: str
    status: str
    counts: Counts
    bill: Bill
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    follows: tuple[tuple[Follow, str], ...]
    drift: tuple[tuple[str, Drift], ...]
    promotions: tuple[Promotion, ...]
    texts: tuple[StackText, ...]

    @property
    def needs_approval(self) -> bool:
        return any(finding.needs_approval for finding in self.findings)


def review(proposal: Proposal, *, labels: Collection[str] = (), allowed: Collection[str] = ()) -> Review:
    """PolicyError when the deployment's file or `allowed` names no rule."""
    findings = judge(proposal, labels=labels, allowed=allowed)
    moves = {
        change.address: moved
        for change in proposal.resources
        if (moved := redeployment(change, proposal.follows)) is not None
    }
    counts = _counts(proposal, moves)
    return Review(
        env=proposal.config.env,
        verdict=verdict(counts, proposal.bill, findings),
        status="needs approval" if any(one.needs_approval for one in findings) else "fine",
        counts=counts,
        bill=proposal.bill,
        findings=findings,
        rows=tuple(_rows(proposal, moves)),
        follows=tuple((one, _consequence(one, moves)) for one in proposal.follows),
        drift=tuple((plan.name, one) for plan in proposal.plans for one in drifted(plan)),
        promotions=tuple(promotions(proposal)),
        texts=tuple(
            StackText(plan.name, _summary(plan.changes), plan.text, plan.waits_for, plan.hints)
            for plan in proposal.plans
        ),
    )


def _counts(proposal: Proposal, moves: dict[str, Redeployment]) -> Counts:
    actions = [change.action for change in proposal.changes]
    redeployed = sum(
        1 for change in proposal.resources if change.address in moves and change.action is not Action.REPLACE
    )
    in_place = sum(1 for change in proposal.changes if change.action is Action.CHANGE and change.address not in moves)
    rebuilt = sum(is_rebuilt(change) for change in proposal.changes)
    return Counts(
        add=actions.count(Action.ADD),
        change=in_place,
        redeploy=redeployed,
        rebuild=rebuilt,
        replace=actions.count(Action.REPLACE) - rebuilt,
        destroy=actions.count(Action.DESTROY) + actions.count(Action.FORGET),
    )


def _rows(proposal: Proposal, moves: dict[str, Redeployment]) -> Iterator[Row]:
    """Stack by stack: what there is first, and many additions of one kind as one."""
    for plan in proposal.plans:
        changes = [change for change in plan.changes if change.action is not Action.NONE]
        added: dict[tuple[str, bool], list[Change]] = {}
        for change in changes:
            if change.action is Action.ADD:
                kind = "grant" if is_grant(change.type) else change.type
                added.setdefault((kind, change.planned), []).append(change)
            else:
                rows = differences(change) if change.after is not None else ()
                happens = verb(change, moves.get(change.address))
                yield Row(plan.name, change.address, name(change), happens, rows)
        for group in added.values():
            yield from _added(plan.name, group)


def _added(stack: str, group: list[Change]) -> Iterator[Row]:
    if len(group) < GROUPED_FROM:
        yield from (Row(stack, one.address, name(one), verb(one, None), ()) for one in group)
        return
    happens = verb(group[0], None).replace("is ", "are ", 1)
    yield Row(stack, f"{group[0].type}.*", names(group), happens, ())


def _consequence(follow: Follow, moves: dict[str, Redeployment]) -> str:
    moved = moves.get(follow.change.address)
    if moved is not None and follow.attribute in moved.why:
        gate = ", if its promotion rule lets it" if block(follow.change.after, "promotion") else ""
        return f"{verb(follow.change, moved)}{gate}"
    return "is planned anew"


def _summary(changes: tuple[Change, ...]) -> str:
    actions = [change.action for change in changes]
    words = {
        Action.ADD: "to add",
        Action.CHANGE: "changed",
        Action.REPLACE: "replaced",
        Action.DESTROY: "destroyed",
    }
    return counted((actions.count(action), told) for action, told in words.items())
