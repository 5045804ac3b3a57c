"""The price table says what it knows, where it read it, and what it does not know."""

import pytest

from cdk.prices.table import PriceUnknown, table


def rows():
    for service, section in table().document.items():
        if isinstance(section, dict) and "rates" in section:
            for region, items in section["rates"].items():
                for item, row in items.items():
                    yield pytest.param(service, region, item, row, id=f"{service} {item} {region}")


@pytest.mark.parametrize(("service", "region", "item", "row"), list(rows()))
def test_every_row_has_a_price_with_its_source_or_says_why_not(service, region, item, row):
    if "unknown" in row:
        assert set(row) == {"unknown"}
        with pytest.raises(PriceUnknown, match=r": \w+"):
            table().rate(service, item, region)
    else:
        asked = region if region != "anywhere" else "europe-west4"
        rate = table().rate(service, item, asked)
        assert rate.usd > 0
        assert "https://" in rate.source
        assert set(row) <= {"usd", "source", "read", "derived", "note", "free"}


def test_an_item_that_costs_the_same_everywhere_is_found_in_any_region():
    assert table().rate("gke", "cluster", "us-east1").usd == table().rate("gke", "cluster", "asia-east1").usd == 0.10


def test_a_region_outside_a_price_tier_is_unknown():
    with pytest.raises(PriceUnknown, match="cloud-run in southamerica-east1"):
        table().rate("cloud-run", "vcpu", "southamerica-east1")


def test_a_service_that_is_not_listed_is_unknown():
    with pytest.raises(PriceUnknown, match="no prices of bigtable"):
        table().rate("bigtable", "node", "us-central1")


def test_an_h100_is_its_parts():
    # accelerator + 26 vCPU + 234 GB
    by_hand = 11.2660332 + 26 * 0.0293227 + 234 * 0.0025534

    assert table().rate("vertex-prediction", "a3-highgpu-1g", "us-central1").usd == pytest.approx(by_hand, abs=1e-6)
