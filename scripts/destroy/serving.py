"""What serves, or could: deployed models, endpoints, models and training jobs of a deployment on Vertex AI.

Found by label, not by name, so that what somebody made by hand beside the stacks is found too. A deployed model carries
no label: it counts when its endpoint does, or its model.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdk.config import DeploymentConfig
from scripts.destroy.billable import (
    DEPLOYED_MODEL,
    ENDPOINT,
    JOB,
    MODEL,
    TENSORBOARD,
    Billable,
    Price,
    free,
    last,
    listed,
    moment,
    unknown,
)
from scripts.destroy.ownership import is_ours
from scripts.destroy.removal import Removal
from scripts.google_api import Document, GoogleApi

JOB_GOES_ON = ("JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING", "JOB_STATE_PAUSED")


def endpoints(config: DeploymentConfig, api: GoogleApi) -> Iterator[Billable]:
    """Endpoints and what is deployed to them."""
    own_models = {_without_version(one["name"]) for one in _models(config, api)}
    for endpoint in api.items("aiplatform", f"/v1/{api.parent}/endpoints", "endpoints"):
        own = is_ours(config, endpoint.get("labels"))
        for deployed in endpoint.get("deployedModels", []):
            if own or _without_version(deployed.get("model", "")) in own_models:
                yield _deployed(config, endpoint, deployed)
        if own:
            remove = Removal(config.google).vertex(endpoint["name"], "endpoints")
            yield _named(ENDPOINT, endpoint, "endpoint", free("an endpoint alone costs nothing"), remove)


def models(config: DeploymentConfig, api: GoogleApi) -> Iterator[Billable]:
    for model in _models(config, api):
        remove = Removal(config.google).vertex(model["name"], "models")
        yield _named(MODEL, model, "model", free("Vertex AI does not charge for keeping a model"), remove)


def jobs(config: DeploymentConfig, api: GoogleApi) -> Iterator[Billable]:
    """Those that go on; one that has ended is a record, and costs nothing."""
    for job in api.items("aiplatform", f"/v1/{api.parent}/customJobs", "customJobs"):
        if is_ours(config, job.get("labels")) and job.get("state") in JOB_GOES_ON:
            remove = Removal(config.google).vertex(job["name"], "custom-jobs", verb="cancel")
            yield _named(JOB, job, "training", _job_price(config, job), remove)


def tensorboards(config: DeploymentConfig, api: GoogleApi) -> Iterator[Billable]:
    for board in api.items("aiplatform", f"/v1/{api.parent}/tensorboards", "tensorboards"):
        if is_ours(config, board.get("labels")):
            price = listed("tensorboard", "storage", config.google.region, what="by what it stores")
            remove = Removal(config.google).vertex(board["name"], "tensorboards")
            yield _named(TENSORBOARD, board, "training", price, remove)


def _named(kind: str, document: Document, stack: str, price: Price, remove: str) -> Billable:
    """By its id and shown name; since it started, where that is another time than when it was made."""
    shown = f"{last(document['name'])} ({document.get('displayName', '')})"
    since = moment(document.get("startTime") or document.get("createTime"))
    return Billable(kind, document["name"], shown, stack, since, price, remove)


def _models(config: DeploymentConfig, api: GoogleApi) -> Iterator[Document]:
    found = api.items("aiplatform", f"/v1/{api.parent}/models", "models")
    return (one for one in found if is_ours(config, one.get("labels")))


def _deployed(config: DeploymentConfig, endpoint: Document, deployed: Document) -> Billable:
    resources = deployed.get("dedicatedResources", {})
    machine = str(resources.get("machineSpec", {}).get("machineType", "a machine that is not told"))
    count = int(resources.get("minReplicaCount", 1) or 0)
    item = f"{machine} spot" if resources.get("spot") else machine
    most = int(resources.get("maxReplicaCount", count) or count)
    what = f"{count} x {item}" + (f", up to {most} when busy" if most > count else "")
    split = {str(key): int(value) for key, value in endpoint.get("trafficSplit", {}).items()}
    everyone = {str(one["id"]): split.get(str(one["id"]), 0) for one in endpoint.get("deployedModels", [])}
    return Billable(
        DEPLOYED_MODEL,
        f"{endpoint['name']}/deployedModels/{deployed['id']}",
        f"{deployed['id']} on endpoint {last(endpoint['name'])}, {what}",
        "endpoint",
        moment(deployed.get("createTime")),
        listed("vertex-prediction", item, config.google.region, times=count, what=what),
        Removal(config.google).deployed_model(endpoint["name"], str(deployed["id"]), everyone),
    )


def _job_price(config: DeploymentConfig, job: Document) -> Price:
    total = 0.0
    for pool in job.get("jobSpec", {}).get("workerPoolSpecs", []):
        machine, count = str(pool.get("machineSpec", {}).get("machineType", "")), int(pool.get("replicaCount", 1))
        price = listed("vertex-training", machine, config.google.region, times=count)
        if price.usd_per_hour is None:
            return price
        total += price.usd_per_hour
    return Price(total, "its machines") if total else unknown("the job tells no machines")


def _without_version(model: str) -> str:
    return model.partition("@")[0]
