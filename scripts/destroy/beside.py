"""What a deployment has beside the model: the page, builds, the image repository and buckets."""

from __future__ import annotations

from collections.abc import Iterator

from cdk.config import DeploymentConfig
from cdk.prices.deployment import gibibytes, storage_usd_per_hour
from cdk.prices.table import PriceUnknown
from scripts.destroy.billable import (
    BUCKET,
    BUILD,
    PAGE,
    REPOSITORY,
    Billable,
    Price,
    free,
    last,
    listed,
    moment,
    unknown,
)
from scripts.destroy.ownership import is_our_build, is_ours
from scripts.destroy.removal import Removal
from scripts.google_api import Document, GoogleApi

BUILD_GOES_ON = ("PENDING", "QUEUED", "WORKING")
DEFAULT_BUILD_MACHINE = "E2_STANDARD_2"


def pages(config: DeploymentConfig, api: GoogleApi) -> Iterator[Billable]:
    for service in api.items("run", f"/v2/{api.parent}/services", "services"):
        if is_ours(config, service.get("labels")):
            yield Billable(
                PAGE,
                service["name"],
                last(service["name"]),
                "ui",
                moment(service.get("createTime")),
                _page_price(config, service),
                Removal(config.google).page(service["name"]),
            )


def builds(config: DeploymentConfig, api: GoogleApi) -> Iterator[Billable]:
    """All builds of the deployment that Cloud Build still tells of; one that has ended has `until`."""
    seen: set[str] = set()  # the global list may tell of a region's builds again
    for location in (config.google.region, "global"):
        path = f"/v1/projects/{config.google.project}/locations/{location}/builds"
        for build in api.items("cloudbuild", path, "builds", pageSize="1000"):
            if is_our_build(config, build.get("tags")) and build["id"] not in seen:
                seen.add(build["id"])
                yield _build(config, build, location)


def repositories(config: DeploymentConfig, api: GoogleApi) -> Iterator[Billable]:
    for repository in api.items("artifactregistry", f"/v1/{api.parent}/repositories", "repositories"):
        if is_ours(config, repository.get("labels")):
            size_gb, count = _size_gb(api, repository)
            yield Billable(
                REPOSITORY,
                repository["name"],
                f"{last(repository['name'])}, {count} images, {size_gb:.1f} GB",
                "registry",
                moment(repository.get("createTime")),
                _storage_price(size_gb, config.google.region),
                Removal(config.google).repository(repository["name"]),
            )


def buckets(config: DeploymentConfig, api: GoogleApi) -> Iterator[Billable]:
    """All but the one that holds Terraform's state: without it nothing could be destroyed."""
    for bucket in api.items("storage", "/storage/v1/b", "items", project=config.google.project):
        if is_ours(config, bucket.get("labels")) and bucket["name"] != config.terraform.state_bucket:
            yield Billable(
                BUCKET,
                bucket["name"],
                f"gs://{bucket['name']}",
                "registry",
                moment(bucket.get("timeCreated")),
                unknown("by what it stores, which Cloud Storage does not tell here; cents per GB and month"),
                Removal(config.google).bucket(bucket["name"]),
            )


def _page_price(config: DeploymentConfig, service: Document) -> Price:
    template = service.get("template", {})
    count = int(template.get("scaling", {}).get("minInstanceCount", 0))
    if not count:
        return free("no instance is kept up; what its requests cost is not told here")
    limits = template.get("containers", [{}])[0].get("resources", {}).get("limits", {})
    cpu, memory = float(limits.get("cpu", 1)), gibibytes(str(limits.get("memory", "512Mi")))
    vcpu, gib = (listed("cloud-run", f"{part} idle", config.google.region) for part in ("vcpu", "gib"))
    if vcpu.usd_per_hour is None or gib.usd_per_hour is None:
        return unknown(vcpu.basis or gib.basis)
    # The table has these two by the second.
    return Price(count * 3600 * (cpu * vcpu.usd_per_hour + memory * gib.usd_per_hour), f"{count} kept up, and requests")


def _build(config: DeploymentConfig, build: Document, location: str) -> Billable:
    goes_on, machine = build.get("status") in BUILD_GOES_ON, str(build.get("options", {}).get("machineType", ""))
    item = DEFAULT_BUILD_MACHINE if machine in ("", "UNSPECIFIED") else machine
    began, ended = moment(build.get("startTime")), moment(build.get("finishTime"))
    return Billable(
        BUILD,
        f"projects/{config.google.project}/locations/{location}/builds/{build['id']}",
        f"{build['id']}, {item}, {str(build.get('status', '')).lower()}",
        "registry",
        began or (None if goes_on else ended),
        listed("cloud-build", item, config.google.region, times=60, what=f"{item}; its disk is not in it"),
        Removal(config.google).build(
            f"projects/{config.google.project}/locations/{location}/builds/{build['id']}", location
        ),
        until=None if goes_on else (ended or began),
    )


def _size_gb(api: GoogleApi, repository: Document) -> tuple[float, int]:
    """Google tells the size of all; else the images' own, which counts shared layers more than once."""
    images = list(api.items("artifactregistry", f"/v1/{repository['name']}/dockerImages", "dockerImages"))
    told = repository.get("sizeBytes") or sum(int(one.get("imageSizeBytes", 0)) for one in images)
    return int(told) / 1e9, len(images)


def _storage_price(size_gb: float, region: str) -> Price:
    try:
        return Price(storage_usd_per_hour(size_gb, region), f"{size_gb:.1f} GB")
    except PriceUnknown as error:
        return unknown(str(error))
