"""What a deployment costs while it is up and nobody asks it anything, line by line.

Knows the deployment file's values and the price table; knows nothing of plans. A day has 24 hours, a month 730.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdk.config import DeploymentConfig
from cdk.machines import BYTES_PER_PARAMETER
from cdk.prices.table import HOURS_PER_DAY, HOURS_PER_MONTH, PriceUnknown, table

# The serving image besides the weights: CUDA libraries and Python packages, compressed.
IMAGE_BASE_GB = 4.0


@dataclass(frozen=True)
class LineItem:
    """usd_per_hour while it is up; source: where the price was read; note: what a reader may wonder about."""

    what: str
    usd_per_hour: float
    source: str
    note: str


@dataclass(frozen=True)
class Price:
    """dated: the day of the table."""

    items: tuple[LineItem, ...]
    dated: str

    @property
    def usd_per_hour(self) -> float:
        return sum(item.usd_per_hour for item in self.items)

    @property
    def usd_per_day(self) -> float:
        return self.usd_per_hour * HOURS_PER_DAY

    @property
    def usd_per_month(self) -> float:
        return self.usd_per_hour * HOURS_PER_MONTH


def price(config: DeploymentConfig) -> Price:
    """The deployment at rest: minimum of replicas and instances, no traffic. PriceUnknown for what is not listed."""
    items = [_nodes(config), _registry(config)]
    if config.ui.min_instances:
        items.append(_idle_page(config))
    return Price(tuple(items), dated=table().dated)


def serving_image_gb(config: DeploymentConfig) -> float:
    """The serving image's size in the registry, about."""
    return config.model.parameters_billion * BYTES_PER_PARAMETER[config.model.dtype] + IMAGE_BASE_GB


def storage_usd_per_hour(size_gb: float, region: str) -> float:
    """What images of this size cost in Artifact Registry, its free share taken off."""
    rate = table().rate("artifact-registry", "storage", region)
    return max(size_gb - rate.free, 0) * rate.usd / HOURS_PER_MONTH


def gibibytes(memory: str) -> float:
    """`512Mi` and the like, in GiB."""
    return float(memory[:-2]) / (1024 if memory.endswith("Mi") else 1)


def _nodes(config: DeploymentConfig) -> LineItem:
    endpoint, region = config.endpoint, config.google.region
    item = f"{endpoint.machine_type} spot" if endpoint.spot else endpoint.machine_type
    try:
        rate = table().rate("vertex-prediction", item, region)
    except PriceUnknown as error:
        raise PriceUnknown(
            f"endpoint.machine_type: {error}. Add a row with its source to cdk/prices/table.toml: what a deployment "
            "costs must be known before it is made."
        ) from None
    count, kind = endpoint.min_replicas, "spot " if endpoint.spot else ""
    built_in = f", {endpoint.accelerator_type} included" if endpoint.accelerator_type else ""
    what = f"{count} x Vertex AI {kind}{endpoint.machine_type} in {region}{built_in}"
    return LineItem(what, count * rate.usd, rate.source, rate.note)


def _registry(config: DeploymentConfig) -> LineItem:
    size_gb, region = serving_image_gb(config), config.google.region
    rate = table().rate("artifact-registry", "storage", region)
    what = f"about {size_gb:.0f} GB of serving image in Artifact Registry"
    return LineItem(what, storage_usd_per_hour(size_gb, region), rate.source, rate.note)


def _idle_page(config: DeploymentConfig) -> LineItem:
    ui, region = config.ui, config.google.region
    try:
        vcpu, gib = (table().rate("cloud-run", f"{part} idle", region) for part in ("vcpu", "gib"))
    except PriceUnknown as error:
        raise PriceUnknown(f"ui.min_instances: got {ui.min_instances}; {error}. Set 0, or add the region.") from None
    per_second = int(ui.cpu) * vcpu.usd + gibibytes(ui.memory) * gib.usd
    what = f"{ui.min_instances} x Cloud Run instance kept up, {ui.cpu} vCPU, {ui.memory}"
    return LineItem(what, ui.min_instances * per_second * 3600, vcpu.source, vcpu.note)
