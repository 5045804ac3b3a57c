"""What a deployment costs while it is up, from a dated table of list prices.

Knows the table and arithmetic; asks no API. USD; a day has 24 hours, a month 730.
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
# The image besides the weights: CUDA libraries and packages, in GB.
IMAGE_BASE_GB = 6.0


class PriceUnknown(Exception):
    """The table has no row for this machine."""


@dataclass(frozen=True)
class LineItem:
    """usd_per_hour while it is up; source: where the price was read."""

    what: str
    usd_per_hour: float
    source: str


@dataclass(frozen=True)
class Price:
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


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text())


def price(config: DeploymentConfig) -> Price:
    """The deployment's price with its minimum of replicas and instances. PriceUnknown for an unlisted machine."""
    table = _table()
    items = [_nodes(config, table), _registry(config, table)]
    if config.ui.min_instances:
        items.append(_ui(config, table))
    return Price(tuple(items), dated=str(table["dated"]))


def _nodes(config: DeploymentConfig, table: dict[str, Any]) -> LineItem:
    kind, region = config.endpoint.machine_type, config.google.region
    rows = [row for row in table["node"] if row["machine_type"] == kind]
    if not rows:
        known = ", ".join(sorted({row["machine_type"] for row in table["node"]}))
        raise PriceUnknown(f"no price for {kind} in {TABLE.name}; it lists {known}. Add a row with its source.")
    row = next((row for row in rows if row["region"] == region), rows[0])
    count = config.endpoint.min_replicas
    elsewhere = "" if row["region"] == region else f" (price of {row['region']}: {region} is not listed)"
    built_in = f", {config.endpoint.accelerator_type} included" if config.endpoint.accelerator_type else ""
    what = f"{count} x Vertex AI {kind}{built_in}{elsewhere}"
    return LineItem(what, count * float(row["usd_per_hour"]), str(row["source"]))


def _registry(config: DeploymentConfig, table: dict[str, Any]) -> LineItem:
    weights_gb = config.model.parameters_billion * BYTES_PER_PARAMETER[config.model.dtype]
    size_gb = weights_gb + IMAGE_BASE_GB
    row = table["storage"]
    hourly = size_gb * float(row["usd_per_gb_month"]) / HOURS_PER_MONTH
    return LineItem(f"about {size_gb:.0f} GB of serving image in Artifact Registry", hourly, str(row["source"]))


def _ui(config: DeploymentConfig, table: dict[str, Any]) -> LineItem:
    row, count = table["cloud_run"], config.ui.min_instances
    unit = 1 / 1024 if config.ui.memory.endswith("Mi") else 1.0
    memory_gib = float(config.ui.memory[:-2]) * unit
    per_second = int(config.ui.cpu) * row["usd_per_vcpu_second"] + memory_gib * row["usd_per_gib_second"]
    return LineItem(f"{count} x Cloud Run instance always up", count * per_second * 3600, str(row["source"]))
