"""Rules about the ground moving: tools of another version, and things changed behind Terraform's back."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.plan_review.plan.drift import drifted
from scripts.plan_review.plan.values import told
from scripts.plan_review.proposal import Proposal
from scripts.plan_review.rules.rule import Hit, Rule, Severity

PROVIDERS_OUTPUT = "provider_versions"


def _versions(proposal: Proposal) -> Iterator[Hit]:
    for plan in proposal.plans:
        old, new = plan.state_terraform_version, plan.terraform_version
        if old and new and old != new:
            yield Hit(plan.name, "", f"Terraform goes from {old} to {new}.", "moves Terraform")
        output = plan.outputs.get(PROVIDERS_OUTPUT)
        before, after = (_by_provider(side) for side in ((output.before, output.after) if output else (None, None)))
        for provider in sorted(set(before) & set(after)):
            if before[provider] != after[provider]:
                what = f"Provider {provider} goes from {before[provider]} to {after[provider]}."
                yield Hit(plan.name, "", what, "moves a provider")


def _by_provider(text: object) -> dict[str, str]:
    """`registry.terraform.io/hashicorp/google 6.50.0, …` by provider."""
    pairs = (one.rpartition(" ") for one in str(text or "").split(", "))
    return {provider: version for provider, _, version in pairs if provider}


def _drift(proposal: Proposal) -> Iterator[Hit]:
    for plan in proposal.plans:
        for one in drifted(plan):
            what = "It is gone." if one.is_gone else f"Changed: {', '.join(path for path, _, _ in one.rows)}."
            after = "The apply makes it again." if one.is_gone else "The apply puts it back." if one.is_undone else ""
            yield Hit(plan.name, one.address, told(f"{what} {after}"), "undoes a change made by hand")


VERSION = Rule(
    id="version-moved",
    severity=Severity.MEDIUM,
    finds="A Terraform or provider version other than the one that wrote the state.",
    reason="A state that a newer version has written cannot be read by an older one, and a provider may see "
    "differences where there are none.",
    cure="Move it in a change of its own, and look through the whole plan below.",
    find=_versions,
)
DRIFT = Rule(
    id="drift",
    severity=Severity.MEDIUM,
    finds="Something changed or deleted outside Terraform that this apply would put back.",
    reason="Somebody did it for a reason, perhaps in an incident; the apply undoes it without asking.",
    cure="Ask who did it. To keep it, write it into the deployment's file; then the plan is empty.",
    find=_drift,
)
