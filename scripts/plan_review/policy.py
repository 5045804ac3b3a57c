"""Whether what the rules found needs a person: the deployment's policy, the labels given, and their answer.

Knows severities and labels; knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cdk.review import Review as Policy
from cdk.review import RulePolicy
from scripts.plan_review.proposal import Proposal
from scripts.plan_review.rules.catalogue import BY_ID, RULES
from scripts.plan_review.rules.rule import Hit, Rule, Severity


class PolicyError(Exception):
    """A deployment's file or a flag names a rule that does not exist; the message names those that do."""


@dataclass(frozen=True)
class Finding:
    """A hit with its rule and the policy's answer. allowed_by: the label that allows it; is_allowed: it was given."""

    rule: Rule
    hit: Hit
    severity: Severity
    allowed_by: str
    is_allowed: bool
    needs_approval: bool


def check_rules(names: Collection[str], where: str) -> None:
    """PolicyError when one of them is no rule."""
    if unknown := sorted(set(names) - set(BY_ID)):
        raise PolicyError(f"{where}: got {', '.join(unknown)}; the rules are {', '.join(sorted(BY_ID))}")


def judge(proposal: Proposal, *, labels: Collection[str], allowed: Collection[str]) -> tuple[Finding, ...]:
    """Everything found, most serious first. labels: of the pull request; allowed: names of rules."""
    policy = proposal.config.review
    check_rules(policy.rules, f"deployments/{proposal.config.env}.toml: review.rules")
    check_rules(allowed, "--allow")
    found = [finding for rule in RULES for finding in _apply(rule, proposal, policy, labels, allowed)]
    order = list(BY_ID)
    return tuple(
        sorted(found, key=lambda one: (-one.severity.rank, order.index(one.rule.id), one.hit.stack, one.hit.address))
    )


def _apply(
    rule: Rule, proposal: Proposal, policy: Policy, labels: Collection[str], allowed: Collection[str]
) -> Iterator[Finding]:
    own = policy.rules.get(rule.id, RulePolicy())
    if own.severity == "off":
        return
    label = own.allowed_by or f"allow-{rule.id}"
    is_allowed = label in labels or rule.id in allowed
    for hit in rule.find(proposal):
        severity = Severity(own.severity) if own.severity else hit.severity or rule.severity
        serious = severity.rank >= Severity(policy.needs_approval).rank
        yield Finding(rule, hit, severity, label, is_allowed, needs_approval=serious and not is_allowed)
