"""Rules about what answers: the deployed model and the endpoint that it is behind."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.plan_review.plan.plans import Action
from scripts.plan_review.plan.redeployment import TYPE, redeployment
from scripts.plan_review.proposal import Proposal
from scripts.plan_review.rules.rule import Hit, Rule, Severity, hit

SERVES = (TYPE, "aws_sagemaker_endpoint")
ENDPOINTS = ("google_vertex_ai_endpoint", "aws_sagemaker_endpoint")
# What callers address an endpoint by; another value is another address.
ADDRESS = ("name", "location", "region", "project", "dedicated_endpoint_enabled", "private_service_connect_config")


def _destroyed(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.of_type(*SERVES):
        if change.action in (Action.DESTROY, Action.FORGET):
            yield hit(change, "What serves is taken down; nothing answers after it.", "takes down what serves")


def _replaced(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.of_type(*SERVES):
        moved = redeployment(change, proposal.follows)
        if change.action is Action.REPLACE:
            why = ", ".join(change.replaced_by) or "its definition"
            yield hit(change, f"Replaced, because {why} cannot change in place.", "replaces a serving deployment")
        elif moved is not None and not moved.beside:
            what = f'Deployed anew with strategy = "recreate", because of {", ".join(moved.why)}: down meanwhile.'
            yield hit(change, what, "takes a serving deployment down to deploy it anew")


def _redeployed(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.of_type(TYPE):
        moved = redeployment(change, proposal.follows)
        if moved is not None and moved.beside:
            what = f"Deployed anew beside the one that serves, because of {', '.join(moved.why)}."
            yield hit(change, what, "redeploys what serves")


def _endpoint(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.of_type(*ENDPOINTS):
        before, after = change.before or {}, change.after or {}
        if change.leaves:
            is_replaced = change.action is Action.REPLACE
            what = f"The endpoint is {'replaced' if is_replaced else 'destroyed'}: its name and DNS are gone."
            yield hit(change, what, f"{'replaces' if is_replaced else 'destroys'} an endpoint")
        elif change.action is Action.CHANGE:
            moved = [key for key in ADDRESS if before.get(key) != after.get(key)]
            if moved:
                yield hit(change, f"{', '.join(moved)} changes, and callers' address with it.", "moves an endpoint")


DESTROYED = Rule(
    id="serving-destroyed",
    severity=Severity.HIGH,
    finds="A deployed model, or a SageMaker endpoint, that Terraform destroys.",
    reason="Callers get errors from the moment it is undeployed. The way back is a deployment: 25 to 45 minutes on an "
    "A100, if the region has one left.",
    cure="If the bill is to stop, go on. If not, look for what took it out of the stack.",
    find=_destroyed,
)
REPLACED = Rule(
    id="serving-replaced",
    severity=Severity.HIGH,
    finds='A deployed model that Terraform replaces, or that is deployed anew with `strategy = "recreate"`.',
    reason="A replacement has no golden prediction, no steps and no way back, and `recreate` answers nobody meanwhile.",
    cure="Keep the endpoint, its id and its region as they are; then a change is a rolling update. For `recreate`: set "
    'rollout.strategy = "rolling" where the quota allows two accelerators.',
    find=_replaced,
)
REDEPLOYED = Rule(
    id="serving-redeployed",
    severity=Severity.LOW,
    finds="A deployed model that changes in what Google cannot change: model version, machine, identity, logging. "
    "Terraform says `update in-place`; the provider deploys a second one, moves the traffic and undeploys the first.",
    reason="Two of them run and cost until the new one has all traffic, and the quota must have room for both.",
    cure="None needed. Unfit, the new one goes again, and the old one keeps everything.",
    find=_redeployed,
)
ENDPOINT = Rule(
    id="endpoint-replaced",
    severity=Severity.HIGH,
    finds="An endpoint that is destroyed or replaced, or whose address changes: its name, region or dedicated DNS.",
    reason="A dedicated endpoint's DNS contains its id and is not given out twice: every caller needs the new one.",
    cure="Leave endpoint.id, endpoint.dedicated and google.region as they are. A second endpoint beside it can take "
    "over once callers know it.",
    find=_endpoint,
)
