"""An endpoint's figures, from a real local cloud that answered real predictions, and from Google's other shapes."""

from __future__ import annotations

import json
import math
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from provider.api import Api, ApiError, Settings
from provider.endpoint_metrics.latency_buckets import Buckets
from provider.endpoint_metrics.metrics import EndpointMetrics, Metrics
from tfplugin.resource import Stopped

ENDPOINT = "projects/flan/locations/europe-west4/endpoints/77"
HOUR = (datetime(2026, 11, 21, 8, tzinfo=UTC), datetime(2026, 11, 21, 9, tzinfo=UTC))


def reader(url, stop=None):
    api = Api(Settings(project="flan", region="europe-west4", api_endpoint=url, access_token="t"))
    return EndpointMetrics(api, stop or threading.Event())


def predict(cloud, endpoint, *instances):
    body = json.dumps({"instances": instances}).encode()
    request = urllib.request.Request(f"{cloud.url}/v1/{endpoint}:predict", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def deploy(cloud, endpoint, number, model, split):
    machine = {"dedicatedResources": {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}}
    body = {"deployedModel": {"id": number, "model": model, **machine}, "trafficSplit": split}
    cloud.done("POST", f"/v1/{endpoint}:deployModel", body)


def test_a_window_tells_what_one_deployed_model_really_answered(cloud, new_endpoint):
    deploy(cloud, new_endpoint, "41", cloud.version("metered", "1"), {"0": 100})
    slow = cloud.version("metered", "2", STATUS="503", DELAY_S="0.4")
    begun = datetime.now(UTC)
    assert [predict(cloud, new_endpoint, "a", "b") for _ in range(3)] == [200] * 3
    deploy(cloud, new_endpoint, "42", slow, {"0": 100, "41": 0})
    assert [predict(cloud, new_endpoint, "a") for _ in range(2)] == [503] * 2
    ended = datetime.now(UTC) + timedelta(seconds=1)
    metrics = reader(cloud.url)

    old, new = (metrics.window(new_endpoint, number, begun, ended) for number in ("41", "42"))
    assert (old.count, old.errors, old.predictions, old.error_rate) == (3, 0, 6, 0.0)
    assert (new.count, new.errors, new.responses, new.error_rate) == (2, 2, {"5xx": 2}, 1.0)
    assert old.p95_ms < 400 <= new.p95_ms < 3000
    both = metrics.window(new_endpoint, None, begun - timedelta(days=2), ended)  # long: by sums
    assert (both.count, both.errors, both.predictions) == (5, 2, 6)
    assert both.p50_ms <= both.p95_ms


def test_a_window_in_which_nobody_asked_has_no_figures(cloud):
    now = datetime.now(UTC)
    seen = reader(cloud.url).window(ENDPOINT, "1", now - timedelta(minutes=5), now)

    assert seen == Metrics()
    assert (seen.error_rate, seen.p95_ms) == (0.0, None)


def counted(code, *values):
    points = [{"value": {"int64Value": str(value)}} for value in values]
    return {"metric": {"labels": {"response_code": code}}, "points": points}


def test_codes_come_as_numbers_or_as_classes_and_pages_are_followed(script):
    script.answers = [
        (200, {"timeSeries": [counted("200", 3, 4), counted("429", 1)], "nextPageToken": "more"}),
        (200, {"timeSeries": [counted("2xx", 5), counted("5xx", 2)]}),
        (200, {}),
    ]
    seen = reader(script.url).window(ENDPOINT, "9", *HOUR)

    assert (seen.count, seen.errors, seen.responses) == (15, 3, {"2xx": 12, "4xx": 1, "5xx": 2})
    first, second = (parse_qs(urlsplit(path).query) for _, path, _, _ in script.calls[:2])
    assert second.pop("pageToken") == ["more"]
    assert first == second
    assert 'metric.labels.deployed_model_id = "9"' in first["filter"][0]
    assert 'resource.labels.endpoint_id = "77"' in first["filter"][0]
    assert first["interval.endTime"] == ["2026-11-21T09:00:00.000000Z"]


def test_a_window_longer_than_an_hour_is_summed_by_google(script):
    script.answers = [(200, {})]
    reader(script.url).window(ENDPOINT, None, HOUR[0], HOUR[1] + timedelta(seconds=0.5))

    query = parse_qs(urlsplit(script.calls[0][1]).query)
    assert query["aggregation.perSeriesAligner"] == ["ALIGN_SUM"]
    assert query["aggregation.alignmentPeriod"] == ["3601s"]


def test_a_permission_that_is_missing_is_an_error_and_no_zero(script):
    script.answers = [(403, {"error": {"status": "PERMISSION_DENIED", "message": "monitoring.timeSeries.list"}})]

    with pytest.raises(ApiError, match="PERMISSION_DENIED"):
        reader(script.url).window(ENDPOINT, None, *HOUR)


def test_a_stop_ends_the_reading(script):
    script.answers = [(503, {"error": {"status": "UNAVAILABLE", "message": "later"}}, {"Retry-After": "60"})]
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    begun = time.monotonic()

    with pytest.raises(Stopped):
        reader(script.url, stop).window(ENDPOINT, None, *HOUR)
    assert time.monotonic() - begun < 5


def buckets(options, counts):
    made = Buckets()
    value = {"distributionValue": {"bucketOptions": options, "bucketCounts": counts}}
    made.add({"points": [{"value": value}]})
    return made


LINEAR = {"linearBuckets": {"numFiniteBuckets": 10, "width": 10, "offset": 0}}
EXPLICIT = {"explicitBuckets": {"bounds": [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]}}
EXPONENTIAL = {"exponentialBuckets": {"numFiniteBuckets": 3, "growthFactor": 10, "scale": 1}}


@pytest.mark.parametrize("options", [LINEAR, EXPLICIT])
def test_percentiles_are_read_from_equal_buckets_however_they_are_described(options):
    made = buckets(options, ["0", *["10"] * 10, "0"])  # 100 values, evenly from 0 to 100

    assert made.percentile(0.5) == pytest.approx(50)
    assert made.percentile(0.95) == pytest.approx(95)


def test_percentiles_of_exponential_buckets_and_of_their_open_ends():
    assert buckets(EXPONENTIAL, ["0", "0", "1"]).percentile(0.5) == pytest.approx(55)  # 10 to 100
    assert buckets(EXPONENTIAL, ["0", "0", "0", "0", "3"]).percentile(0.5) == 1000  # above the last bound
    assert buckets(EXPONENTIAL, ["4"]).percentile(0.5) == pytest.approx(0.5)  # below the first
    assert buckets({}, []).percentile(0.5) is None


def test_distributions_with_other_buckets_add_up():
    made = buckets(LINEAR, ["0", "1"])
    made.add({"points": [{"value": {"distributionValue": {"bucketOptions": EXPONENTIAL, "bucketCounts": [0, 0, 1]}}}]})

    assert made.percentile(0.25) == pytest.approx(5)
    assert not math.isinf(made.percentile(1.0))
