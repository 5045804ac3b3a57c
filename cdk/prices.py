"""What a deployment costs while it is up, from a dated table of list prices.

Knows the table and arithmetic; asks no API. USD; a day has 24 hours, a month 730. What the table does not list is an
error that says so, never a zero.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cdk.config import DeploymentConfig
from cdk.machines import BYTES_PER_PARAMETER

TABLE = Path(__file__).with_name("prices.toml")
HOURS_PER_DAY, HOURS_PER_MONTH = 24, 730
# The serving image besides the weights: CUDA libraries and Python packages, compressed.
IMAGE_BASE_GB = 4.0


class PriceUnknown(Exception):
    """The table has no row for what the deployment uses; the message says which."""


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
    table = _table()
    items = [_nodes(config, table["node"]), _registry(config, table["storage"])]
    if config.ui.min_instances:
        items.append(_idle_page(config, table["cloud_run_idle"]))
    return Price(tuple(items), dated=str(table["dated"]))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text())


def _nodes(config: DeploymentConfig, rows: list[dict[str, Any]]) -> LineItem:
    endpoint, region = config.endpoint, config.google.region
    row = next((row for row in rows if (row["machine_type"], row["region"]) == (endpoint.machine_type, region)), None)
    column = "spot_usd_per_hour" if endpoint.spot else "usd_per_hour"
    if row is None or column not in row:
        listed = ", ".join(f"{row['machine_type']} in {row['region']}" for row in rows if column in row)
        spot = "spot " if endpoint.spot else ""
        raise PriceUnknown(
            f"endpoint.machine_type: no price for {spot}{endpoint.machine_type} in {region}; cdk/{TABLE.name} lists "
            f"{listed}. Add a row with its source: what a deployment costs must be known before it is made."
        )
    count, kind = endpoint.min_replicas, "spot " if endpoint.spot else ""
    built_in = f", {endpoint.accelerator_type} included" if endpoint.accelerator_type else ""
    what = f"{count} x Vertex AI {kind}{endpoint.machine_type} in {region}{built_in}"
    return LineItem(what, count * float(row[column]), row["source"], row["note"])


def _registry(config: DeploymentConfig, row: dict[str, Any]) -> LineItem:
    size_gb = config.model.parameters_billion * BYTES_PER_PARAMETER[config.model.dtype] + IMAGE_BASE_GB
    hourly = max(size_gb - row["free_gb"], 0) * float(row["usd_per_gb_month"]) / HOURS_PER_MONTH
    return LineItem(f"about {size_gb:.0f} GB of serving image in Artifact Registry", hourly, row["source"], row["note"])


def _idle_page(config: DeploymentConfig, row: dict[str, Any]) -> LineItem:
    ui, region = config.ui, config.google.region
    if region not in row["tier_1_regions"]:
        raise PriceUnknown(
            f"ui.min_instances: got {ui.min_instances}; cdk/{TABLE.name} has Cloud Run's price in "
            f"{', '.join(row['tier_1_regions'])}, not in {region}. Set 0, or add the region."
        )
    memory_gib = float(ui.memory[:-2]) / (1024 if ui.memory.endswith("Mi") else 1)
    per_second = int(ui.cpu) * row["usd_per_vcpu_second"] + memory_gib * row["usd_per_gib_second"]
    what = f"{ui.min_instances} x Cloud Run instance kept up, {ui.cpu} vCPU, {ui.memory}"
    return LineItem(what, ui.min_instances * per_second * 3600, row["source"], row["note"])
