"""Changes in plain words: what a kind of resource is called, and what happens to it."""

from __future__ import annotations

from scripts.plan_review.plan.plans import Action, Change
from scripts.plan_review.plan.redeployment import Redeployment

NOUNS = {
    "google_artifact_registry_repository": ("image repository", "image repositories"),
    "google_cloudbuild_trigger": ("build trigger", "build triggers"),
    "google_cloudbuildv2_connection": ("connection to GitHub", "connections to GitHub"),
    "google_cloudbuildv2_repository": ("source repository", "source repositories"),
    "google_cloud_run_v2_service": ("page on Cloud Run", "pages on Cloud Run"),
    "google_container_cluster": ("GKE cluster", "GKE clusters"),
    "google_container_node_pool": ("node pool", "node pools"),
    "google_project_iam_custom_role": ("role of one's own", "roles of one's own"),
    "google_project_service": ("API enabled", "APIs enabled"),
    "google_service_account": ("service account", "service accounts"),
    "google_storage_bucket": ("bucket", "buckets"),
    "google_vertex_ai_endpoint": ("endpoint", "endpoints"),
    "google_vertex_ai_tensorboard": ("TensorBoard", "TensorBoards"),
    "vertex_custom_job": ("training job", "training jobs"),
    "vertex_endpoint_deployed_model": ("deployed model", "deployed models"),
    "vertex_image_build": ("image", "images"),
    "vertex_model": ("model", "models"),
}
VERBS = {
    Action.ADD: "added",
    Action.CHANGE: "changed in place",
    Action.REPLACE: "replaced",
    Action.DESTROY: "destroyed",
    Action.FORGET: "forgotten by Terraform",
    Action.NONE: "stays",
}
# What tells a resource from others of its kind, best first.
_NAMES = ("repository_id", "account_id", "model_id", "service", "name", "image", "display_name", "bucket")


def noun(kind: str, count: int = 1) -> str:
    """`google_storage_bucket` -> `bucket`; a kind without a word of its own is spelled out."""
    if kind.endswith(("_iam_member", "_iam_binding")):
        return "grant" if count == 1 else "grants"
    one, many = NOUNS.get(kind, (kind.partition("_")[2].replace("_", " "), ""))
    return one if count == 1 else many or f"{one}s"


def name(change: Change) -> str:
    """A few words for one resource: its kind and what it is called."""
    values = change.values
    if change.type.endswith(("_iam_member", "_iam_binding")):
        who = values.get("member") or "a member known after the apply"
        return f"grant of {values.get('role')} to {who}"
    called = next((str(values[key]) for key in _NAMES if isinstance(values.get(key), str)), "")
    if change.type == "vertex_image_build":
        called = called.rpartition("/")[2]
    if change.type == "vertex_endpoint_deployed_model":
        called = str(values.get("display_name") or "")
    return f"{noun(change.type)} {called}".strip()


def is_rebuilt(change: Change) -> bool:
    """For Terraform another content is a replacement; nothing that runs goes away with the old image."""
    return change.type == "vertex_image_build" and change.action is Action.REPLACE


def verb(change: Change, moved: Redeployment | None) -> str:
    """What happens to it; a deployed model's update may be more than a change in place."""
    if moved is not None and change.action is not Action.REPLACE:
        return "redeployed beside the old one" if moved.beside else "taken down and redeployed"
    if is_rebuilt(change):
        return "built anew; the old image stays" if change.values.get("keep_on_destroy") else "built anew"
    if change.action is Action.REPLACE:
        order = "the new one first" if change.new_before_old else "the old one goes first"
        return f"replaced, {order}"
    return VERBS[change.action] + ("" if change.planned else ", once the stacks before it are there")
