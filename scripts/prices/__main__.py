"""`make prices`: reads the price table's rows again from the Cloud Billing Catalog API.

Credentials: an API key in GOOGLE_API_KEY, or application default credentials. What no SKU can be found for stays as it
is, and is named. Look at the difference before you commit it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from cdk.prices.table import FILE
from scripts.prices.catalog import ADDRESS, Catalog, CatalogFailed, Sku
from scripts.prices.recipes import RECIPES
from scripts.prices.refresh import Row, refresh, write

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.prices", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", type=Path, default=FILE, help="the price table to rewrite")
    parser.add_argument("--address", default=os.environ.get("CLOUD_BILLING_ENDPOINT", ADDRESS), help="of the API")
    parser.add_argument("--region", default="us-central1", help="whose SKUs stand for what costs the same everywhere")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 2 when a price has changed")
    arguments = parser.parse_args()
    try:
        key, token = _credentials()
        with Catalog(address=arguments.address, key=key, token=token) as catalog:
            rows = refresh(tomllib.loads(arguments.table.read_text()), _books(catalog), region=arguments.region)
    except CatalogFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(_told(rows))
    if arguments.check:
        return 2 if any(_moved(row) for row in rows) else 0
    count = write(arguments.table, rows, today=datetime.now(UTC).date())
    print(f"\n{count} rows read anew into {arguments.table}" if count else "\nNothing was written.")
    return 0


def _books(catalog: Catalog) -> dict[str, list[Sku]]:
    """The SKUs of each service that a recipe names, by the name that the recipe has for it."""
    wanted = sorted({part.service for recipe in RECIPES for part in recipe.parts})
    ids = catalog.services() if any(" " in name for name in wanted) else {}
    return {name: catalog.skus(ids.get(name, name)) for name in wanted if " " not in name or name in ids}


def _credentials() -> tuple[str, str]:
    """An API key, or an access token. CatalogFailed when this machine has neither."""
    if key := os.environ.get("GOOGLE_API_KEY"):
        return key, ""
    from google.auth import default, exceptions  # only where no key is given: it is slow to import
    from google.auth.transport.requests import Request

    try:
        credentials, _ = default(scopes=[SCOPE])
        credentials.refresh(Request())
    except exceptions.GoogleAuthError as error:
        raise CatalogFailed(
            f"no credentials for the Cloud Billing Catalog API ({error}); set GOOGLE_API_KEY, or run "
            "`gcloud auth application-default login`"
        ) from None
    return "", str(credentials.token)


def _moved(row: Row) -> bool:
    return row.new is not None and (row.old is None or abs(row.new - row.old) > 1e-9)


def _told(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        name = f"{row.service:<18} {row.item:<20} {row.region:<14}"
        old = "unknown" if row.old is None else f"{row.old:.9g}"
        new = (
            f"stays {old}: {row.why}"
            if row.new is None
            else f"{old} -> {row.new:.9g}"
            if _moved(row)
            else f"{old}, the same"
        )
        lines.append(f"  {name} {new}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
