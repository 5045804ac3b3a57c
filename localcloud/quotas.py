"""Service Usage v1beta1: the limits of a service's quota metrics, by region. Read by clients, set by tests.

`PUT /localcloud/quotas` with `{"project", "metric", "region", "limit"}` sets one, as Google does when it grants more or
a project is new. Deployments here are not held to a limit; the fault `quota_zero` refuses one.
Source: serviceusage v1beta1, services.consumerQuotaMetrics.
"""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter

from localcloud.cloud import LocalCloud
from localcloud.errors import invalid, not_found
from localcloud.store import Document
from localcloud.wire import JsonBody, page

KIND = "quota"
UNIT = "1/{project}/{region}"
GRANTED = 8  # what a project has here in every region until somebody sets something else; Google's default is 0
# service -> metric -> its shown name
METRICS = {
    "aiplatform.googleapis.com": {
        "custom_model_serving_nvidia_a100_gpus": "Custom model serving Nvidia A100 GPUs per region",
        "custom_model_serving_nvidia_a100_80gb_gpus": "Custom model serving Nvidia A100 80GB GPUs per region",
        "custom_model_serving_nvidia_h100_gpus": "Custom model serving Nvidia H100 GPUs per region",
        "custom_model_serving_nvidia_l4_gpus": "Custom model serving Nvidia L4 GPUs per region",
        "custom_model_serving_nvidia_t4_gpus": "Custom model serving Nvidia T4 GPUs per region",
    }
}


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    base = "/v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics"

    @routes.get(base)
    def list_(project: str, service: str, pageSize: str | None = None, pageToken: str | None = None) -> Document:  # noqa: N803
        found = [_shown(cloud, project, service, name) for name in METRICS.get(service, {})]
        return page(found, key="metrics", size=pageSize, token=pageToken)

    # `metric:path`: `aiplatform.googleapis.com%2Fcustom_…` arrives decoded.
    @routes.get(base + "/{metric:path}")
    def get(project: str, service: str, metric: str) -> Document:
        owner, _, name = metric.rpartition("/")
        if owner != service or name not in METRICS.get(service, {}):
            raise not_found(metric)
        return _shown(cloud, project, service, name)

    @routes.put("/localcloud/quotas")
    def set_(body: JsonBody) -> Document:
        project, metric, region = (str(body.get(key) or "") for key in ("project", "metric", "region"))
        limit = body.get("limit")
        if metric not in {name for names in METRICS.values() for name in names}:
            known = ", ".join(sorted(name for names in METRICS.values() for name in names))
            raise invalid(f"metric: {metric!r} is none of {known}")
        if not project or not region or not isinstance(limit, int):
            raise invalid('A quota is {"project", "metric", "region", "limit": a number, -1 for no limit}.')
        name = _key(cloud.projects.id(project), metric, region)
        document = {"name": name, "region": region, "limit": limit}
        cloud.store.put(name, kind=KIND, document=document)
        return document

    return routes


def _key(project: str, metric: str, region: str) -> str:
    return f"projects/{project}/quotas/{metric}/{region}"


def _shown(cloud: LocalCloud, project: str, service: str, name: str) -> Document:
    """The metric with a bucket for all regions, and one for each region that something else was set for."""
    number, project = cloud.projects.number(project), cloud.projects.id(project)
    full = f"projects/{number}/services/{service}/consumerQuotaMetrics/{quote(f'{service}/{name}', safe='')}"
    buckets: list[Document] = [_bucket(GRANTED, {})]
    for one in cloud.store.list(KIND, under=f"projects/{project}/quotas/{name}"):
        buckets.append(_bucket(one["limit"], {"region": one["region"]}))
    limit = {
        "name": f"{full}/limits/%2Fproject%2Fregion",
        "metric": f"{service}/{name}",
        "unit": UNIT,
        "isPrecise": True,
        "quotaBuckets": buckets,
    }
    shown = METRICS[service][name]
    return {
        "name": full,
        "metric": f"{service}/{name}",
        "displayName": shown,
        "consumerQuotaLimits": [limit],
        "unit": "1",
    }


def _bucket(limit: int, dimensions: dict[str, str]) -> Document:
    bucket: Document = {"effectiveLimit": str(limit), "defaultLimit": "0"}
    return bucket | ({"dimensions": dimensions} if dimensions else {})
