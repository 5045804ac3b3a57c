"""What decides whether another model version takes over: both versions' labels, and the provider's word on it.

Evaluation metrics are labels of a model, written `43_1234` for 43.1234; the rule is the deployed model's `promotion`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.plan_review.plan.plans import Action
from scripts.plan_review.plan.redeployment import TYPE
from scripts.plan_review.plan.values import NOTHING, UNKNOWN, block
from scripts.plan_review.proposal import Proposal

_NUMBER = re.compile(r"(-?\d+)_(\d+)")
# the provider's: `refused M@2 over M@1 by all_greater: eval_rouge1 60.0000 -> 0.9921, eval_rouge2 …; not greater: …`
_COMPARED = re.compile(r":? ?([\w-]+) (-?[\d.]+|\?) -> (-?[\d.]+|\?),?")
VERDICT = "promotion_verdict"
DEFAULT_RULE = "all_greater"  # the provider's, as docs/provider/resources/endpoint_deployed_model.md has it


@dataclass(frozen=True)
class Promotion:
    """rows: label, old and new value: of the version that serves and the one that shall, or of a changed model.

    rule, verdict: of the deployed model that takes the version, if any.
    """

    stack: str
    address: str
    rows: tuple[tuple[str, str, str], ...]
    rule: str
    verdict: str


def promotions(proposal: Proposal) -> Iterator[Promotion]:
    """One for a deployed model that has a promotion verdict, else one for a model whose labels of its own differ."""
    rule, verdict = _rule(proposal), _verdict(proposal)
    compared = tuple(_compared(verdict))
    for change in proposal.of_type(TYPE):
        if compared:
            yield Promotion(change.stack, change.address, compared, rule, _COMPARED.sub("", verdict))
            return
    for change in proposal.of_type("vertex_model"):
        if change.action in (Action.CHANGE, Action.REPLACE) and (
            rows := tuple(_labels(proposal, change.before, change.after))
        ):
            yield Promotion(change.stack, change.address, rows, rule, verdict)
            return
    for change in proposal.of_type(TYPE):
        if verdict:
            yield Promotion(change.stack, change.address, (), rule, verdict)


def _compared(verdict: str) -> Iterator[tuple[str, str, str]]:
    """The metrics of both versions, out of the provider's sentence; a version that lacks one has `?`."""
    for label, old, new in _COMPARED.findall(verdict):
        yield label, *(NOTHING if value == "?" else value for value in (old, new))


def _labels(proposal: Proposal, before: object, after: object) -> Iterator[tuple[str, str, str]]:
    old, new = (dict(side.get("labels") or {}) if isinstance(side, dict) else {} for side in (before, after))
    for key in sorted((set(old) | set(new)) - set(proposal.config.all_labels) - {"content"}):
        yield key, _value(old.get(key)), _value(new.get(key))


def _value(label: object) -> str:
    if label is None:
        return NOTHING
    return _NUMBER.sub(r"\1.\2", str(label)) if _NUMBER.fullmatch(str(label)) else str(label)


def _rule(proposal: Proposal) -> str:
    for change in proposal.of_type(TYPE):
        promotion = block(change.after, "promotion")
        if promotion:
            metrics = ", ".join(str(one) for one in promotion.get("metrics") or [])
            gain = f", by more than {promotion['min_gain']:g}" if promotion.get("min_gain") else ""
            return f"{promotion.get('rule') or DEFAULT_RULE} of {metrics}{gain}"
    return ""


def _verdict(proposal: Proposal) -> str:
    """The provider's own sentence, where this plan has one."""
    for change in proposal.of_type(TYPE):
        if change.action is Action.CHANGE and isinstance(change.unknown, dict):
            if change.unknown.get(VERDICT) is True:
                return UNKNOWN
            new = (change.after or {}).get(VERDICT)
            if new and new != (change.before or {}).get(VERDICT):
                return " ".join(str(new).split())  # whole: a reviewer decides by it
    return ""
