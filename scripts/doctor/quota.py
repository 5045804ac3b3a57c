"""Whether the project may serve on as many accelerators as the deployment asks for. Google's default is 0.

Service Usage tells the limit; how much of it is in use is not told there. The names are those of the error that a
deployment over the limit ends with.
Source: serviceusage v1beta1, services.consumerQuotaMetrics.get; Vertex AI quotas page.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from cdk.config import DeploymentConfig
from scripts.doctor.finding import Finding, failure, ok, warning
from scripts.google_api import Document, GoogleApi, NotThere

SUBJECT = "quota"
UNLIMITED = -1
# accelerator -> how Vertex AI's metric calls it
METRICS = {
    "NVIDIA_TESLA_A100": "custom_model_serving_nvidia_a100_gpus",
    "NVIDIA_A100_80GB": "custom_model_serving_nvidia_a100_80gb_gpus",
    "NVIDIA_L4": "custom_model_serving_nvidia_l4_gpus",
    "NVIDIA_TESLA_T4": "custom_model_serving_nvidia_t4_gpus",
    "NVIDIA_H100_80GB": "custom_model_serving_nvidia_h100_gpus",
}


def quota(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    endpoint, google = config.endpoint, config.google
    if not endpoint.accelerator_type:
        yield ok(SUBJECT, f"{endpoint.machine_type} has no accelerator; no quota of accelerators is needed")
        return
    page = f"https://console.cloud.google.com/iam-admin/quotas?project={google.project}"
    metric = METRICS.get(endpoint.accelerator_type)
    if metric is None or endpoint.spot:
        kind = "spot " if endpoint.spot else ""
        yield warning(SUBJECT, f"the metric of {kind}{endpoint.accelerator_type} is not known here", f"Look at {page}")
        return
    try:
        limit = limit_in(_metric(config, api, metric), google.region)
    except NotThere:
        missing = f"{google.project} has no metric {metric}; is aiplatform.googleapis.com enabled?"
        yield warning(SUBJECT, missing, f"Cure the line `APIs`, or look at {page}")
        return
    if limit is None:
        yield warning(SUBJECT, f"{metric} tells no limit for {google.region}", f"Look at {page}")
        return
    yield _judged(config, metric, limit, page)


def _metric(config: DeploymentConfig, api: GoogleApi, metric: str) -> Document:
    named = quote(f"aiplatform.googleapis.com/{metric}", safe="")
    parent = f"projects/{config.google.project_number}/services/aiplatform.googleapis.com"
    return api.get("serviceusage", f"/v1beta1/{parent}/consumerQuotaMetrics/{named}")


def limit_in(metric: Document, region: str) -> int | None:
    """The region's limit, else the one for all regions; None when the answer tells neither."""
    buckets = [bucket for limit in metric.get("consumerQuotaLimits", []) for bucket in limit.get("quotaBuckets", [])]
    for dimensions in ({"region": region}, {}):
        for bucket in buckets:
            if bucket.get("dimensions", {}) == dimensions:
                # Proto JSON leaves out a zero.
                return int(bucket.get("effectiveLimit", 0))
    return None


def _judged(config: DeploymentConfig, metric: str, limit: int, page: str) -> Finding:
    endpoint, region = config.endpoint, config.google.region
    least, most = (count * endpoint.accelerator_count for count in (endpoint.min_replicas, endpoint.max_replicas))
    rolled = 2 * least if config.rollout.strategy == "rolling" else least
    said = f"{limit} x {endpoint.accelerator_type} for serving in {region}"
    ask = f"Ask for {max(most, rolled)} of {metric} in {region} at {page} (takes hours to days)"
    if limit == UNLIMITED:
        return ok(SUBJECT, f"no limit on {endpoint.accelerator_type} for serving in {region}")
    if limit < least:
        return failure(SUBJECT, f"{said}, {least} are needed", ask)
    if limit < most:
        return warning(SUBJECT, f"{said}: enough for {least}, not for max_replicas ({most} accelerators)", ask)
    if limit < rolled:
        text = f"{said}: a rolling change of the version needs {rolled} for a while"
        return warning(SUBJECT, text, f'{ask}, or set rollout.strategy = "recreate"')
    return ok(SUBJECT, f"{said}, at most {max(most, rolled)} are needed (what else uses them is not told)")
