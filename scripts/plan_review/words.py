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
    "google_project_iam_custom_role": ("custom role", "custom roles"),
    "google_project_service": ("API", "APIs"),
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
    Action.ADD: "is added",
    Action.CHANGE: "is changed in place",
    Action.REPLACE: "is replaced",
    Action.DESTROY: "is destroyed",
    Action.FORGET: "is forgotten by Terraform, and stays",
    Action.NONE: "stays",
}
# What tells a resource from others of its kind, best first.
_NAMES = ("repository_id", "account_id", "role_id", "model_id", "service", "name", "image", "display_name", "bucket")


def noun(kind: str, count: int = 1) -> str:
    """`google_storage_bucket` -> `bucket`; a kind without a word of its own is spelled out."""
    if is_grant(kind):
        return "grant" if count == 1 else "grants"
    one, many = NOUNS.get(kind, (kind.partition("_")[2].replace("_", " "), ""))
    return one if count == 1 else many or f"{one}s"


def names(group: list[Change]) -> str:
    """Several of one kind as one: how many, and of grants which roles."""
    counted = f"{len(group)} {noun(group[0].type, len(group))}"
    if not is_grant(group[0].type):
        return counted
    roles = sorted({str(one.values.get("role")).removeprefix("roles/") for one in group if one.values.get("role")})
    return f"{counted} ({', '.join(roles)})" if roles else counted


def is_grant(kind: str) -> bool:
    return kind.endswith(("_iam_member", "_iam_binding"))


def name(change: Change) -> str:
    """A few words for one resource: its kind and what it is called."""
    values = change.values
    if is_grant(change.type):
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
        return "is redeployed beside the old one" if moved.beside else "is taken down and redeployed"
    if is_rebuilt(change):
        return "is built anew; the old image stays" if change.values.get("keep_on_destroy") else "is built anew"
    if change.action is Action.REPLACE:
        order = "the new one first" if change.new_before_old else "the old one goes first"
        return f"is replaced, {order}"
    return VERBS[change.action] + ("" if change.planned else ", once the stacks before it are there")
