"""Rules about who may do what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.plan_review.plan.plans import Change
from scripts.plan_review.plan.values import block
from scripts.plan_review.proposal import Proposal
from scripts.plan_review.rules.rule import Hit, Rule, Severity, hit

EVERYBODY = {"allUsers", "allAuthenticatedUsers"}
GRANT = re.compile(r".*_iam_(member|binding)")
# Roles with which one can make oneself anything, or act on everything.
BROAD = re.compile(r"roles/(owner|editor|.*[aA]dmin|iam\.serviceAccountTokenCreator|iam\.serviceAccountUser)")
OPEN = "INGRESS_TRAFFIC_ALL"
ON_PROJECT = re.compile(r"google_(project|folder|organization)_iam_.*")


def _public(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.changes:
        if opened := sorted(_members(change.after) & EVERYBODY - _members(change.before)):
            where = change.values.get("name") or change.values.get("bucket") or change.address
            what = f"{', '.join(opened)} gets {change.values.get('role')} on {where}: anyone on the internet."
            yield hit(change, what, "opens to the public")
        before, after = change.before or {}, change.after or {}
        if change.before is not None and before.get("ingress") != after.get("ingress") == OPEN:
            yield hit(change, f"Takes requests from anywhere, no longer {before.get('ingress')}.", "opens an ingress")
        if change.arrives and block(change.after, "spec").get("type") == "LoadBalancer":
            yield hit(change, "A load balancer with an address on the internet.", "opens to the public")


def _widened(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.changes:
        if change.after is None:
            continue
        if change.type == "google_project_iam_custom_role":
            yield from _permissions(change)
        elif GRANT.fullmatch(change.type):
            yield from _grant(change, is_first=proposal.stack(change.stack).is_new)


def _permissions(change: Change) -> Iterator[Hit]:
    gained = sorted(
        set((change.after or {}).get("permissions") or ()) - set((change.before or {}).get("permissions") or ())
    )
    if change.before is not None and gained:
        yield hit(change, f"The role gains {', '.join(gained)}.", "widens a role")


def _grant(change: Change, *, is_first: bool) -> Iterator[Hit]:
    """A broad role always; another one where the stack stood without it before."""
    after = change.after or {}
    role, before = str(after.get("role")), (change.before or {}).get("role")
    gained = _members(change.after) - _members(change.before) - EVERYBODY
    if (role == before and not gained) or _members(change.after) & EVERYBODY:
        return
    who = ", ".join(sorted(gained or _members(change.after))) or "a member known after the apply"
    where = "the whole project" if ON_PROJECT.fullmatch(change.type) else "one resource"
    if BROAD.fullmatch(role):
        is_wide = ON_PROJECT.fullmatch(change.type) or not role.startswith("roles/iam.serviceAccount")
        severity = (Severity.MEDIUM if is_first else Severity.HIGH) if is_wide else None
        if is_wide or not is_first:
            yield hit(change, f"{who} gets {role} on {where}.", "grants a broad role", severity)
    elif not is_first:
        yield hit(change, f"{who} gets {role} on {where}.", "widens a role")


def _members(values: object) -> set[str]:
    if not isinstance(values, dict):
        return set()
    many = values.get("members") or []
    return {str(one) for one in [values.get("member"), *many] if one}


PUBLIC = Rule(
    id="public-access",
    severity=Severity.HIGH,
    finds="`allUsers` or `allAuthenticatedUsers` in a grant, an ingress opened to all, a Kubernetes load balancer.",
    reason="Whoever finds the address uses an endpoint that costs over USD 100 a day, and sees what it says.",
    cure='Name who may: ui.invokers = ["group:…"]. For a demonstration, an identity-aware proxy in front.',
    find=_public,
)
WIDENED = Rule(
    id="role-widened",
    severity=Severity.MEDIUM,
    finds="A broad role granted (owner, editor, any admin, acting as a service account), a further grant in a stack "
    "that stands already, or permissions added to a custom role.",
    reason="A grant outlives the reason for it, and whoever holds a broad one can give itself more.",
    cure="Grant the least role on the narrowest resource; see cdk/identities.py for how the components do with theirs.",
    find=_widened,
)
