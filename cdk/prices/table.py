"""The table of list prices: one rate per service, item and region, with its unit and its source.

Knows the file `table.toml` beside it; asks no API and multiplies nothing. What the table does not list is an error that
says so, never a zero.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("table.toml")
ANYWHERE = "anywhere"
HOURS_PER_DAY, HOURS_PER_MONTH = 24, 730


class PriceUnknown(Exception):
    """The table has no price for this; the message says for what, and why or what it lists instead."""


@dataclass(frozen=True)
class Rate:
    """USD per unit. source: where it was read, or what it was derived from; free: units that cost nothing."""

    usd: float
    unit: str
    source: str
    note: str = ""
    free: float = 0.0


@dataclass(frozen=True)
class PriceTable:
    """The file's contents, by service, region and item."""

    document: dict[str, Any]

    @property
    def dated(self) -> str:
        day: date = self.document["dated"]
        return day.isoformat()

    def rate(self, service: str, item: str, region: str) -> Rate:
        """PriceUnknown when the table has none for this item in this region."""
        section = self.document.get(service)
        if section is None:
            raise PriceUnknown(f"no prices of {service} are listed")
        self._check_region(service, section, region)
        regions: dict[str, dict[str, Any]] = section["rates"]
        row = regions.get(region, {}).get(item) or regions.get(ANYWHERE, {}).get(item)
        if row is None:
            raise PriceUnknown(f"no price of {service} for {item} in {region}; listed are {_listed(regions)}")
        if "unknown" in row:
            raise PriceUnknown(f"no price of {service} for {item} in {region}: {row['unknown']}")
        return Rate(
            usd=float(row["usd"]),
            unit=section["unit"],
            source=self._source(row),
            note=row.get("note", ""),
            free=float(row.get("free", 0)),
        )

    def _source(self, row: dict[str, Any]) -> str:
        address = str(self.document["sources"][row["source"]])
        if "derived" in row:
            return f"derived: {row['derived']} ({address})"
        return f"{address}, read {row.get('read', self.dated[:4])}"

    def _check_region(self, service: str, section: dict[str, Any], region: str) -> None:
        if "regions" in section and region not in section["regions"]:
            allowed = ", ".join(section["regions"])
            raise PriceUnknown(f"no price of {service} in {region}; its prices here are those of {allowed}")


def _listed(regions: dict[str, dict[str, Any]]) -> str:
    names = [
        item if region == ANYWHERE else f"{item} in {region}"
        for region, rows in regions.items()
        for item, row in rows.items()
        if "usd" in row
    ]
    return ", ".join(names) or "none"


@cache
def table() -> PriceTable:
    """The table of this checkout."""
    return PriceTable(tomllib.loads(FILE.read_text()))
