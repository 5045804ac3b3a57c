"""New prices for the rows of the table that the catalog's SKUs make up, and the file rewritten around them.

A row is only changed when each of its parts matches exactly one SKU of its region; otherwise it stays, and is told why.
Comments, order and derived rows of the file stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import InlineTable

from cdk.prices.table import ANYWHERE
from scripts.prices.catalog import Sku
from scripts.prices.recipes import RECIPES, Part, Recipe

DIGITS = 9  # what the API's nanos can say
SOURCE, ADDRESS = "catalog", "https://cloud.google.com/billing/v1/how-tos/catalog-api"
# The catalog has a unit of its own for these; the row's unit times this is the catalog's.
UNITS = {"cloud-build": ("min", "minute"), "cloud-run": ("s",), "artifact-registry": ("GiBy.mo", "GBy.mo")}
HOURLY = ("h", "GiBy.h", "GBy.h")


@dataclass(frozen=True)
class Row:
    """One row after a refresh. new: None when it stays, for the reason why."""

    service: str
    region: str
    item: str
    old: float | None
    new: float | None
    why: str = ""
    skus: tuple[str, ...] = ()


def refresh(document: Mapping[str, Any], books: Mapping[str, list[Sku]], *, region: str) -> list[Row]:
    """Every row of the table with its new price. region: whose SKUs stand for rows that cost the same everywhere."""
    recipes = {(recipe.service, recipe.item): recipe for recipe in RECIPES}
    rows = []
    for service, section in document.items():
        for place, items in section.get("rates", {}).items() if isinstance(section, Mapping) else ():
            for item, row in items.items():
                here = Row(service, place, item, float(row["usd"]) if "usd" in row else None, None)
                recipe = recipes.get((service, item))
                if recipe is None:
                    rows.append(replace(here, why="no SKUs are known for it; by hand"))
                else:
                    rows.append(_reckoned(here, recipe, books, region if place == ANYWHERE else place))
    return rows


def write(file: Path, rows: Iterable[Row], *, today: date) -> int:
    """Rewrites the rows that the catalog has a price for, each with its date. Returns how many; none: no change."""
    document = tomlkit.parse(file.read_text())
    changed = [row for row in rows if row.new is not None]
    if not changed:
        return 0
    for row in changed:
        kept: InlineTable = document[row.service]["rates"][row.region][row.item]  # type: ignore[index,assignment]
        for stale in ("unknown", "derived"):
            kept.pop(stale, None)
        kept["usd"], kept["source"], kept["read"] = row.new, SOURCE, today
    sources: Any = document["sources"]
    sources[SOURCE] = ADDRESS
    file.write_text(tomlkit.dumps(document))
    return len(changed)


def _reckoned(row: Row, recipe: Recipe, books: Mapping[str, list[Sku]], region: str) -> Row:
    """The row with the sum of its parts, or with the reason why there is none."""
    total, skus = 0.0, list[str]()
    for part in recipe.parts:
        found = _matching(part, books.get(part.service, []), region)
        if len(found) != 1:
            told = f"{len(found)} SKUs match" if found else "no SKU matches"
            return replace(row, why=f"{told} {part.pattern!r}")
        (sku,) = found
        if sku.usd is None or sku.unit not in UNITS.get(row.service, HOURLY):
            return replace(row, why=f"SKU {sku.id} has no price per unit that fits: {sku.unit!r}")
        total, skus = total + sku.usd * part.quantity, [*skus, sku.id]
    return replace(row, new=round(total, DIGITS), skus=tuple(skus))


def _matching(part: Part, skus: Iterable[Sku], region: str) -> list[Sku]:
    """SKUs on demand, in the region or everywhere, whose whole description is the part's."""
    pattern = re.compile(part.pattern, re.IGNORECASE)
    return [
        sku
        for sku in skus
        if sku.usage in ("OnDemand", "") and sku.regions & {region, "global"} and pattern.fullmatch(sku.description)
    ]
