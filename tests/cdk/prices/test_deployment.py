"""What a deployment costs, computed by hand here."""

import pytest

from cdk.config import load
from cdk.prices.deployment import price
from cdk.prices.table import PriceUnknown


def test_a_vertex_node_price_contains_its_accelerator():
    node = price(load("prod")).items[0]

    assert node.usd_per_hour == pytest.approx(3.747972 * 1.15, abs=1e-6)  # not + 2.9339 for the A100
    assert "NVIDIA_TESLA_A100 included" in node.what
    assert "171.8/day" in node.note
    assert "170" in node.note


def test_hour_day_and_month_agree():
    costs = price(load("prod"))

    # 4.3101678 node + (11.14 x 2 + 4 - 0.5) GB x 0.10 / 730 of storage
    assert costs.usd_per_hour == pytest.approx(4.3101678 + 25.78 * 0.10 / 730)
    assert costs.usd_per_day == pytest.approx(103.53, abs=0.01)
    assert costs.usd_per_month == pytest.approx(costs.usd_per_hour * 730)
    assert costs.dated == "2026-11-21"


def test_the_local_deployment_shows_the_price_of_the_same_machine():
    assert price(load("local")).items[0] == price(load("prod")).items[0]


def test_replicas_at_rest_are_paid_for(configured):
    two = configured("prod", endpoint__min_replicas=2, endpoint__max_replicas=3)

    assert price(two).items[0].usd_per_hour == pytest.approx(2 * 4.3101678)


def test_us_central1_has_its_own_price(configured):
    assert price(configured("prod", google__region="us-central1")).items[0].usd_per_hour == 4.2244949


def test_spot_is_compute_engines_spot_price_and_the_management_fee(configured):
    node = price(configured("prod", endpoint__spot=True)).items[0]

    assert node.usd_per_hour == pytest.approx(1.45 + 0.15 * 3.747972, abs=1e-4)
    assert "spot" in node.what


def test_an_idle_instance_of_the_page_is_paid_for(configured):
    kept_up = configured("prod", ui__min_instances=1, ui__cpu="2", ui__memory="512Mi")

    # (2 vCPU x 0.0000025 + 0.5 GiB x 0.0000025) x 3600
    assert price(kept_up).items[-1].usd_per_hour == pytest.approx(0.0225)


def test_a_machine_or_region_that_is_not_listed_is_an_error_and_no_zero(configured):
    unlisted = configured("prod", endpoint__machine_type="a2-highgpu-2g", endpoint__accelerator_count=2)
    elsewhere = configured("prod", google__region="asia-southeast1")

    with pytest.raises(PriceUnknown, match=r"a2-highgpu-2g in europe-west4; listed are a2-highgpu-1g in us-central1"):
        price(unlisted)
    with pytest.raises(PriceUnknown, match="asia-southeast1"):
        price(elsewhere)


def test_every_row_has_a_source():
    costs = price(load("prod"))

    assert all(item.source and item.note for item in costs.items)
