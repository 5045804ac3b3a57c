"""Which resource costs what, from the price table: one function per kind of resource.

A kind that is neither priced here nor known to be free is unknown, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cdk.config import DeploymentConfig
from cdk.naming import SERVING_IMAGE
from cdk.prices.deployment import gibibytes, serving_image_gb, storage_usd_per_hour
from cdk.prices.table import PriceUnknown, Rate, table
from scripts.plan_review.cost.amounts import FREE, Cost, fixed
from scripts.plan_review.plan.plans import Document
from scripts.plan_review.plan.values import block

BUILT_IN = ("a2-", "a3-", "a4-", "g2-")  # machines whose price has the accelerator in it
LOCATION = re.compile(r"/locations/([a-z0-9-]+)/")
# What has no price of its own: settings, identities and grants, and what only names other things.
FREE_TYPES = re.compile(
    r"google_project_service|google_service_account|google_project_iam_custom_role|.*_iam_(member|binding|policy)"
    r"|google_cloudbuild_trigger|google_cloudbuildv2_.*|google_vertex_ai_endpoint|vertex_model|google_billing_budget"
    r"|google_monitoring_(alert_policy|dashboard|notification_channel)|google_artifact_registry_repository"
    r"|google_iam_workload_identity_.*|google_logging_.*|google_cloud_scheduler_job"
    r"|aws_iam_.*|aws_sagemaker_(model|endpoint)|aws_appautoscaling_.*|aws_s3_bucket_.*|terraform_data"
)


@dataclass(frozen=True)
class Priced:
    """what: the resource in a few words. note, source: of its price."""

    what: str
    cost: Cost
    note: str = ""
    source: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What a resource's own values do not say: the deployment's file, and the region its provider works in."""

    config: DeploymentConfig
    region: str


def priced(kind: str, values: Document, where: Surroundings) -> Priced | None:
    """None for what is known to cost nothing."""
    if price := PRICED.get(kind):
        return price(values, where)
    if FREE_TYPES.fullmatch(kind):
        return None
    return Priced(_noun(kind), Cost(unknown=f"{kind} is not in the price table"))


def _deployed_model(values: Document, where: Surroundings) -> Priced:
    resources = block(values, "dedicated_resources")
    machine = str(block(resources, "machine_spec").get("machine_type"))
    low, high = _count(resources, "min_replica_count", 1), _count(resources, "max_replica_count", 1)
    kept = 1 if values.get("keep_previous") and values.get("previous_deployed_model_id") else 0
    beside = kept + len(values.get("leftover_deployed_model_ids") or [])
    region = _location(values.get("endpoint")) or where.region
    spot = " spot" if resources.get("spot") else ""
    what = f"deployed model, {_range(low, high)} x {machine}{spot}" + (f" and {beside} kept beside" if beside else "")
    each, note, source = _hourly("vertex-prediction", f"{machine}{spot}", region)
    cost = Cost(each.low * low * (1 + beside), each.high * high * (1 + beside), each.unknown)
    if block(resources, "machine_spec", "reservation_affinity"):
        note = f"{note} A reservation is paid for whether it serves or not.".strip()
    return Priced(what, cost, note, source)


def _image(values: Document, where: Surroundings) -> Priced:
    name = str(values.get("image") or "").rpartition("/")[2]
    if name != SERVING_IMAGE:
        rate = table().rate("artifact-registry", "storage", where.region)
        return Priced(f"image {name}".strip(), Cost(by_use=f"{rate.usd:.2f} per {rate.unit}"), rate.note, rate.source)
    size_gb = serving_image_gb(where.config)
    rate = table().rate("artifact-registry", "storage", where.region)
    what = f"image {name}, about {size_gb:.0f} GB"
    return Priced(what, fixed(storage_usd_per_hour(size_gb, where.region)), rate.note, rate.source)


def _page(values: Document, where: Surroundings) -> Priced:
    template = block(values, "template")
    scaling, limits = block(template, "scaling"), block(template, "containers", "resources", "limits")
    low, high = _count(scaling, "min_instance_count", 0), _count(scaling, "max_instance_count", 100)
    vcpu, memory = float(limits.get("cpu") or 1), gibibytes(str(limits.get("memory") or "512Mi"))
    what = f"Cloud Run, {_range(low, high)} instances of {vcpu:g} vCPU and {memory:g} GiB"
    region = str(values.get("location") or where.region)
    try:
        idle = [table().rate("cloud-run", f"{part} idle", region) for part in ("vcpu", "gib")]
        busy = [table().rate("cloud-run", part, region) for part in ("vcpu", "gib")]
    except PriceUnknown as error:
        return Priced(what, Cost(unknown=str(error)))
    at_rest, at_work = (3600 * (vcpu * pair[0].usd + memory * pair[1].usd) for pair in (idle, busy))
    note = "At most: every instance busy all the time; requests (0.40 a million) and the free share left out."
    return Priced(what, Cost(low * at_rest, high * at_work), note, busy[0].source)


def _bucket(values: Document, where: Surroundings) -> Priced:
    return Priced(f"bucket {values.get('name') or ''}".strip(), Cost(by_use="what is stored; not in the price table"))


def _cluster(values: Document, where: Surroundings) -> Priced:
    each, note, source = _hourly("gke", "cluster", str(values.get("location") or where.region))
    return Priced("GKE cluster, without its nodes", each, note, source)


def _node_pool(values: Document, where: Surroundings) -> Priced:
    scaling, node = block(values, "autoscaling"), block(values, "node_config")
    machine, fallback = str(node.get("machine_type")), _count(values, "node_count", 1)
    low = _count(scaling, "min_node_count", fallback) if scaling else fallback
    high = _count(scaling, "max_node_count", fallback) if scaling else fallback
    zone = str(values.get("location") or where.region)
    each, note, source = _hourly("compute", machine, re.sub(r"-[a-z]$", "", zone))
    if node.get("spot"):
        each = Cost(unknown=f"spot price of {machine}: not in the price table")
    guest = block(node, "guest_accelerator")
    if guest and not machine.startswith(BUILT_IN):
        extra, _, _ = _hourly("compute", _accelerator(guest), re.sub(r"-[a-z]$", "", zone))
        each = each + extra.times(_count(guest, "count", 1))
    return Priced(
        f"nodes, {_range(low, high)} x {machine}", Cost(each.low * low, each.high * high, each.unknown), note, source
    )


def _tensorboard(values: Document, where: Surroundings) -> Priced:
    each, note, source = _hourly("tensorboard", "storage", str(values.get("region") or where.region))
    return Priced("TensorBoard", each, note, source)


def _sagemaker(values: Document, where: Surroundings) -> Priced:
    variants = values.get("production_variants") or []
    cost, note, source = FREE, "", ""
    told: list[str] = []
    for variant in variants if isinstance(variants, list) else [variants]:
        if block(variant, "serverless_config"):
            cost, told = cost + Cost(by_use="serverless, by request; not in the price table"), [*told, "serverless"]
            continue
        kind, count = str(variant.get("instance_type")), _count(variant, "initial_instance_count", 1)
        each, note, source = _hourly("sagemaker", kind, str(values.get("region") or "us-east-1"))
        cost, told = cost + each.times(count), [*told, f"{count} x {kind}"]
    return Priced(f"SageMaker endpoint, {', '.join(told) or 'no variant'}", cost, note, source)


def _job(values: Document, where: Surroundings) -> Priced:
    """A job runs once; `once` has its price."""
    return Priced("training job", FREE)


PRICED: dict[str, Callable[[Document, Surroundings], Priced]] = {
    "vertex_endpoint_deployed_model": _deployed_model,
    "vertex_image_build": _image,
    "vertex_custom_job": _job,
    "google_cloud_run_v2_service": _page,
    "google_storage_bucket": _bucket,
    "google_container_cluster": _cluster,
    "google_container_node_pool": _node_pool,
    "google_vertex_ai_tensorboard": _tensorboard,
    "aws_sagemaker_endpoint_configuration": _sagemaker,
    "aws_s3_bucket": _bucket,
}


def _hourly(service: str, item: str, region: str) -> tuple[Cost, str, str]:
    """One unit's cost, note and source; of a rate that is not by the hour only that it is by use."""
    try:
        rate: Rate = table().rate(service, item, region)
    except PriceUnknown as error:
        return Cost(unknown=str(error)), "", ""
    if rate.unit != "hour":
        return Cost(by_use=f"{rate.usd:.2f} per {rate.unit}"), rate.note, rate.source
    return fixed(rate.usd), rate.note, rate.source


def _accelerator(guest: Document) -> str:
    """GKE's `nvidia-tesla-t4` as Vertex AI and the price table write it."""
    return str(guest.get("type", "")).replace("-", "_").upper()


def _count(values: Document, key: str, default: int) -> int:
    value: Any = values.get(key)
    return int(value) if value is not None else default


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _location(name: Any) -> str:
    found = LOCATION.search(str(name or ""))
    return found.group(1) if found else ""


def _noun(kind: str) -> str:
    return kind.partition("_")[2].replace("_", " ")
