"""`make prices` against a local double of the Cloud Billing Catalog API.

The H100's SKUs, with ids and prices, are those of a bill of 2025-08; the others have their shape and made-up prices.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime

import pytest

from cdk.config import ROOT
from cdk.prices.table import FILE, PriceTable
from scripts.prices.catalog import Catalog, CatalogFailed

VERTEX_AI = "C7E2-9256-1C43"


@pytest.fixture
def copied(tmp_path):
    return shutil.copy(FILE, tmp_path / "table.toml")


def prices(double, copied, *arguments, **environment):
    environment = {**os.environ, "GOOGLE_API_KEY": "right", **environment}
    command = [sys.executable, "-m", "scripts.prices", "--address", double.address, "--table", str(copied), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)


def table(file):
    return PriceTable(tomllib.loads(file.read_text()))


def test_rows_become_the_sum_of_their_skus_with_a_date_and_source_of_their_own(double, copied):
    out = prices(double, copied)

    assert out.returncode == 0, out.stderr
    new = table(copied)
    # 12 x 0.036 + 85 x 0.0048 + 3.4
    assert new.rate("vertex-prediction", "a2-highgpu-1g", "us-central1").usd == pytest.approx(4.24)
    # 11.2660332 + 26 x 0.0293227 + 234 x 0.0025534
    assert new.rate("vertex-prediction", "a3-highgpu-1g", "us-central1").usd == pytest.approx(12.625919)
    assert new.rate("compute", "NVIDIA_TESLA_T4", "us-central1").usd == 0.36  # neither spot nor commitment
    assert new.rate("cloud-run", "vcpu", "us-central1").usd == 0.000024  # the rate after the free one
    assert new.rate("artifact-registry", "storage", "us-central1").usd == 0.11
    source = new.rate("vertex-prediction", "a3-highgpu-1g", "us-central1").source
    assert source.endswith(f"billing/v1/how-tos/catalog-api, read {datetime.now(UTC).date()}")
    assert new.dated == table(FILE).dated  # the day of the rows that stay
    assert "4.2244949 -> 4.24" in out.stdout


def test_what_no_sku_is_found_for_stays_and_is_told(double, copied):
    before = table(copied)

    out = prices(double, copied)

    after = table(copied)
    for service, item, region in (
        ("vertex-prediction", "a2-highgpu-1g", "europe-west4"),  # only one of its three SKUs is there
        ("sagemaker", "ml.g5.2xlarge", "us-east-1"),
        ("cloud-build", "E2_HIGHCPU_8", "us-central1"),
    ):
        assert after.rate(service, item, region).usd == before.rate(service, item, region).usd
    assert "stays 4.3101678: no SKU matches" in out.stdout
    assert "no SKUs are known for it; by hand" in out.stdout


def test_comments_notes_and_order_of_the_file_stay(double, copied):
    before = copied.read_text()

    prices(double, copied)

    after = copied.read_text()
    comments = [line for line in before.splitlines() if line.startswith("#")]
    assert [line for line in after.splitlines() if line.startswith("#")] == comments
    assert "USD 170 per day" in after
    same = sum(line in after.splitlines() for line in before.splitlines())
    assert same > 0.8 * len(before.splitlines())


def test_a_second_refresh_changes_nothing(double, copied):
    prices(double, copied)
    once = copied.read_text()

    prices(double, copied)

    assert copied.read_text() == once


def test_a_check_writes_nothing_and_tells_by_its_status(double, copied):
    before = copied.read_text()

    assert prices(double, copied, "--check").returncode == 2
    assert copied.read_text() == before
    prices(double, copied)
    assert prices(double, copied, "--check").returncode == 0


def test_every_page_is_read(double):
    with Catalog(address=double.address, key="right") as catalog:
        skus = catalog.skus(VERTEX_AI)

    assert len(skus) == len(double.skus[VERTEX_AI])
    assert [query.get("pageToken") for path, query in double.asked] == [None, "2", "4", "6"]
    assert all(query["currencyCode"] == "USD" for _, query in double.asked)


def test_an_access_token_serves_in_place_of_a_key(double):
    with Catalog(address=double.address, token="right") as catalog:
        assert "Vertex AI" in catalog.services()


def test_a_passing_failure_is_tried_again(double):
    double.failures = [502, 429]

    with Catalog(address=double.address, key="right", pause_s=0.01) as catalog:
        assert len(catalog.skus(VERTEX_AI)) == len(double.skus[VERTEX_AI])


def test_a_lasting_failure_ends_with_what_was_said(double):
    double.failures = [503] * 10

    with (
        Catalog(address=double.address, key="right", pause_s=0.01) as catalog,
        pytest.raises(CatalogFailed, match=r"4 tries.*503"),
    ):
        catalog.skus(VERTEX_AI)


def test_a_wrong_key_ends_with_the_cure_and_the_table_as_it_was(double, copied):
    before = copied.read_text()

    out = prices(double, copied, GOOGLE_API_KEY="wrong")

    assert out.returncode == 1
    assert "unregistered callers" in out.stderr
    assert "set GOOGLE_API_KEY" in out.stderr
    assert copied.read_text() == before


def test_no_credentials_at_all_end_with_the_cure(double, copied, tmp_path):
    out = prices(
        double,
        copied,
        GOOGLE_API_KEY="",
        GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "none.json"),
    )

    assert out.returncode == 1
    assert "no credentials" in out.stderr
    assert "Traceback" not in out.stderr


def test_two_skus_that_match_are_no_price(double, copied):
    t4 = double.skus["6F81-5844-456A"][0]
    double.skus = {**double.skus, "6F81-5844-456A": [t4, {**t4, "skuId": "twin"}]}

    out = prices(double, copied)

    assert "2 SKUs match" in out.stdout
    assert table(copied).rate("compute", "NVIDIA_TESLA_T4", "us-central1").usd == 0.35
