"""The Cloud Billing Catalog API: services, and the SKUs of one with their list prices.

Source: https://cloud.google.com/billing/v1/how-tos/catalog-api. Knows HTTP and pages; knows no table and no machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

ADDRESS = "https://cloudbilling.googleapis.com"
PAGE_SIZE = 5000  # the most that the API gives
TRIES, PAUSE_S = 4, 1.0


class CatalogFailed(Exception):
    """The API did not answer as it should; the message says how and what to do."""


@dataclass(frozen=True)
class Sku:
    """usd: of one unit at the first rate that is not free, None when there is none. unit: as the API abbreviates it."""

    id: str
    description: str
    regions: frozenset[str]
    usage: str
    unit: str
    usd: float | None


class Catalog:
    """One connection to the API, with an API key or an access token."""

    def __init__(self, *, address: str = ADDRESS, key: str = "", token: str = "", pause_s: float = PAUSE_S) -> None:
        self._client = httpx.Client(
            base_url=address, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=60
        )
        self._key, self._pause_s = key, pause_s

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def services(self) -> dict[str, str]:
        """Ids by display name."""
        return {str(one["displayName"]): str(one["serviceId"]) for one in self._pages("/v1/services", "services")}

    def skus(self, service: str) -> list[Sku]:
        """Every SKU of a service, in the API's order."""
        path = f"/v1/services/{service}/skus"
        return [_sku(one) for one in self._pages(path, "skus", currencyCode="USD")]

    def _pages(self, path: str, key: str, **parameters: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            page = self._get(path, {**parameters, "pageSize": str(PAGE_SIZE), "pageToken": token})
            yield from page.get(key, [])
            token = str(page.get("nextPageToken") or "")
            if not token:
                return

    def _get(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        sent = {name: value for name, value in {**parameters, "key": self._key}.items() if value}
        said = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(self._pause_s * 2 ** (attempt - 1))
            try:
                answer = self._client.get(path, params=sent)
            except httpx.TransportError as error:
                said = f"{type(error).__name__}: {error}"
                continue
            if answer.status_code in (429, 500, 502, 503, 504):
                said = f"{answer.status_code} {answer.text[:200]}"
                continue
            return _document(path, answer)
        raise CatalogFailed(f"{path}: no answer in {TRIES} tries, the last said {said}; try again later")


def _document(path: str, answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code in (401, 403):
        raise CatalogFailed(
            f"{path}: {answer.status_code} {_message(answer)}; set GOOGLE_API_KEY to a key of a project with the Cloud "
            "Billing API enabled, or run `gcloud auth application-default login`"
        )
    if answer.status_code != 200:
        raise CatalogFailed(f"{path}: {answer.status_code} {_message(answer)}")
    try:
        document = answer.json()
    except ValueError:
        raise CatalogFailed(f"{path}: the answer is no JSON: {answer.text[:200]!r}") from None
    if not isinstance(document, dict):
        raise CatalogFailed(f"{path}: the answer is no object: {answer.text[:200]!r}")
    return document


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def _sku(one: dict[str, Any]) -> Sku:
    """The latest pricing; `units` is a string, and zero fields are left out."""
    latest: dict[str, Any] = (one.get("pricingInfo") or [{}])[-1].get("pricingExpression", {})
    amounts = (_amount(rate.get("unitPrice", {})) for rate in latest.get("tieredRates", []))
    return Sku(
        id=str(one.get("skuId", "")),
        description=str(one.get("description", "")),
        regions=frozenset(one.get("serviceRegions", [])),
        usage=str(one.get("category", {}).get("usageType", "")),
        unit=str(latest.get("usageUnit", "")),
        usd=next((amount for amount in amounts if amount > 0), None),
    )


def _amount(price: dict[str, Any]) -> float:
    return int(price.get("units") or 0) + int(price.get("nanos") or 0) / 1e9
