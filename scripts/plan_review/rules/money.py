"""Rules about the bill."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.plan_review.plan.plans import Action, Document
from scripts.plan_review.plan.redeployment import TYPE
from scripts.plan_review.plan.values import block
from scripts.plan_review.proposal import Proposal
from scripts.plan_review.rules.rule import Hit, Rule, Severity, hit

# Kind -> where its counts are: block, and the attributes in it.
COUNTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    TYPE: (("dedicated_resources",), ("min_replica_count", "max_replica_count")),
    "google_cloud_run_v2_service": (("template", "scaling"), ("min_instance_count", "max_instance_count")),
    "google_container_node_pool": (("autoscaling",), ("min_node_count", "max_node_count")),
    "aws_sagemaker_endpoint_configuration": (("production_variants",), ("initial_instance_count",)),
    "aws_appautoscaling_target": ((), ("min_capacity", "max_capacity")),
}
ACCELERATORS = {
    TYPE: ("dedicated_resources", "machine_spec"),
    "google_container_node_pool": ("node_config", "guest_accelerator"),
}


def _budget(proposal: Proposal) -> Iterator[Hit]:
    budget = proposal.config.review.budget_usd_per_day
    if budget is None:
        return
    after = proposal.bill.after.per_day
    if after.high <= budget:
        return
    at_rest = after.low > budget
    spent = f"USD {after.low:,.2f} a day at rest" if at_rest else f"up to USD {after.high:,.2f} a day, all replicas up"
    what = f"It costs {spent}; review.budget_usd_per_day is {budget:,.2f}."
    yield Hit("", "", what, "exceeds the budget", None if at_rest else Severity.MEDIUM)


def _grown(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.changes:
        if change.before is None or change.after is None or change.action is Action.NONE:
            continue
        grown = _counts(change.type, change.before, change.after) + _accelerators(
            change.type, change.before, change.after
        )
        if grown:
            yield hit(change, f"{'; '.join(grown)}.", "grows what is paid for")


def _counts(kind: str, before: Document, after: Document) -> list[str]:
    path, keys = COUNTS.get(kind, ((), ()))
    old, new = (block(side, *path) if path else side for side in (before, after))
    return [
        f"{key} goes from {old.get(key) or 0} to {new[key]}"
        for key in keys
        if (new.get(key) or 0) > (old.get(key) or 0)
    ]


def _accelerators(kind: str, before: Document, after: Document) -> list[str]:
    path = ACCELERATORS.get(kind)
    if path is None:
        return []
    old, new = (block(side, *path) for side in (before, after))
    grown = []
    for kind_key, count_key in (("accelerator_type", "accelerator_count"), ("type", "count")):
        if (new.get(count_key) or 0) > (old.get(count_key) or 0):
            grown.append(f"{old.get(count_key) or 0} to {new[count_key]} accelerators")
        if new.get(kind_key) and new.get(kind_key) != old.get(kind_key):
            grown.append(f"accelerator {old.get(kind_key) or 'none'} becomes {new[kind_key]}")
    return grown


def _unknown(proposal: Proposal) -> Iterator[Hit]:
    for line in proposal.bill.unknown:
        cost = line.after
        if cost is not None and (line.before is None or line.before.unknown != cost.unknown):
            yield Hit(line.stack, line.address, f"What it costs is not known: {cost.unknown}.", "has an unknown price")


BUDGET = Rule(
    id="budget-exceeded",
    severity=Severity.HIGH,
    finds="A deployment that costs more than `review.budget_usd_per_day`: high when it does so at rest, medium when "
    "only with every replica up.",
    reason="A Google Cloud budget only tells of money that is spent. This is the one moment before.",
    cure="Fewer replicas or a smaller machine; or a person raises the budget in the deployment's file.",
    find=_budget,
)
GROWN = Rule(
    id="capacity-grown",
    severity=Severity.MEDIUM,
    finds="More replicas, instances, nodes or accelerators than before, at the least or at the most; another kind.",
    reason="Each replica is a whole machine for as long as it is up, and one more than the quota fails the apply.",
    cure="Check the quota (`make doctor`) and whether the load needs them.",
    find=_grown,
)
UNKNOWN = Rule(
    id="price-unknown",
    severity=Severity.MEDIUM,
    finds="A resource that comes or changes, and whose price the table does not have.",
    reason="The totals are too low by it; unknown is not nothing.",
    cure="Add its row, with the source, to cdk/prices/table.toml, or run `make prices`.",
    find=_unknown,
)
