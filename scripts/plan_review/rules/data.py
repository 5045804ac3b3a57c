"""Rules about what cannot be made again: stored things, and the settings that keep them from being destroyed."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.plan_review.plan.plans import Action
from scripts.plan_review.proposal import Proposal
from scripts.plan_review.rules.rule import Hit, Rule, Severity, hit

STATEFUL = {
    "google_storage_bucket": "bucket",
    "google_artifact_registry_repository": "image repository",
    "google_vertex_ai_tensorboard": "TensorBoard",
    "google_kms_crypto_key": "key",
    "google_kms_key_ring": "key ring",
    "google_secret_manager_secret": "secret",
    "google_container_cluster": "cluster",
    "google_bigquery_dataset": "dataset",
    "vertex_model": "model with every version made here",
    "aws_s3_bucket": "bucket",
    "aws_ecr_repository": "image repository",
}
# Attribute -> the value that protects.
PROTECTION = {
    "deletion_protection": True,
    "force_destroy": False,
    "force_delete": False,
    "keep_on_destroy": True,
    "public_access_prevention": "enforced",
    "uniform_bucket_level_access": True,
}


def _destroyed(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.of_type(*STATEFUL):
        if change.leaves:
            noun, is_replaced = STATEFUL[change.type], change.action is Action.REPLACE
            what = f"This {noun} is {'replaced' if is_replaced else 'destroyed'}, with what is in it."
            yield hit(change, what, f"{'replaces' if is_replaced else 'destroys'} what is stored")


def _lifted(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.changes:
        before, after = change.before or {}, change.after or {}
        for key, protects in PROTECTION.items():
            if change.action is Action.CHANGE and before.get(key) == protects and after.get(key) != protects:
                yield hit(
                    change, f"{key} goes from {_told(protects)} to {_told(after.get(key))}.", "lifts a protection"
                )


def _told(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


DESTROYED = Rule(
    id="data-destroyed",
    severity=Severity.HIGH,
    finds="A bucket, image repository, model, TensorBoard, key, secret or cluster that is destroyed or replaced.",
    reason="What is in it goes with it, and no apply brings it back. A replacement is a new, empty one.",
    cure="Copy what is needed first. `terraform state rm` keeps it where it is, out of Terraform.",
    find=_destroyed,
)
LIFTED = Rule(
    id="protection-lifted",
    severity=Severity.HIGH,
    finds="`deletion_protection`, `force_destroy`, `keep_on_destroy`, `public_access_prevention` or "
    "`uniform_bucket_level_access` set so that they protect no more.",
    reason="The next plan can destroy, or open, what this one only unlocks.",
    cure="Set it back, unless the next change is meant to be that one.",
    find=_lifted,
)
