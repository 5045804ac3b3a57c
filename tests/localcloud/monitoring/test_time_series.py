"""Cloud Monitoring's time series of online prediction: what was really answered, in Google's shape."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime

import httpx
import pytest
from google.api.distribution_pb2 import Distribution
from google.api.metric_pb2 import Metric
from google.api.monitored_resource_pb2 import MonitoredResource
from google.protobuf.json_format import ParseDict

PREFIX = "aiplatform.googleapis.com/prediction/online/"
NAMES = ("prediction_count", "response_count", "error_count", "prediction_latencies")


@pytest.fixture(scope="module")
def asked(cloud):
    """An endpoint of two deployed models that answered 6 requests, one of them with two instances and one badly."""
    endpoint = cloud.endpoint()
    old = cloud.deploy(endpoint, cloud.model(), displayName="Old")["id"]
    new = cloud.deploy(endpoint, cloud.model(), split={"0": 50, old: 50})["id"]
    for instances in (["a"], ["b"], ["c", "d"], ["e"]):
        cloud.predict(endpoint, *instances)
    cloud.call("PATCH", f"/v1/{endpoint}?updateMask=trafficSplit", {"trafficSplit": {old: 0, new: 100}})
    cloud.refusal("POST", f"/v1/{endpoint}:predict", {"instances": [{"status": 503}]})
    cloud.predict(endpoint, {"sleep": 0.3})
    time.sleep(1.0)  # the last sample's second is over
    return endpoint, old, new


def listed(cloud, endpoint, name, *more, ago_s=0, **query):
    end = time.time() - ago_s
    terms = [f'metric.type = "{PREFIX}{name}"', f'resource.labels.endpoint_id = "{endpoint.rsplit("/", 1)[1]}"', *more]
    times = {"interval.startTime": end - 3600, "interval.endTime": end}
    query |= {key: datetime.fromtimestamp(value, UTC).isoformat() for key, value in times.items()}
    answer = cloud.http.get("/v3/projects/flan-test/timeSeries", params={"filter": " AND ".join(terms), **query})
    assert answer.status_code == 200, answer.text
    return answer.json().get("timeSeries", [])


def totals(series, *labels):
    """The sum of each series' points, by its labels."""
    return {
        tuple(one["metric"]["labels"][label] for label in labels): sum(
            int(point["value"]["int64Value"]) for point in one["points"]
        )
        for one in series
    }


def test_responses_are_counted_by_deployed_model_and_class_of_code(cloud, asked):
    endpoint, old, new = asked
    counted = totals(listed(cloud, endpoint, "response_count"), "deployed_model_id", "response_code")

    assert counted == {(old, "2xx"): 2, (new, "2xx"): 3, (new, "5xx"): 1}


def test_predictions_are_instances_and_errors_are_requests(cloud, asked):
    endpoint, _, new = asked

    assert sum(totals(listed(cloud, endpoint, "prediction_count"), "deployed_model_id").values()) == 6
    assert totals(listed(cloud, endpoint, "error_count"), "deployed_model_id") == {(new,): 1}


@pytest.mark.parametrize("name", NAMES)
def test_each_series_parses_as_googles_messages(cloud, asked, name):
    for series in listed(cloud, asked[0], name):
        ParseDict(series["metric"], Metric())
        ParseDict(series["resource"], MonitoredResource())
        assert series["metricKind"] == "DELTA"
        assert [point["interval"]["endTime"] for point in series["points"]] == sorted(
            (point["interval"]["endTime"] for point in series["points"]), reverse=True
        )


def test_latencies_are_distributions_of_what_the_requests_took(cloud, asked):
    endpoint, _, new = asked
    more = (f'metric.labels.deployed_model_id = "{new}"', 'metric.labels.latency_type = "total"')
    (series,) = listed(cloud, endpoint, "prediction_latencies", *more)
    values = [ParseDict(point["value"]["distributionValue"], Distribution()) for point in series["points"]]

    assert sum(one.count for one in values) == sum(sum(one.bucket_counts) for one in values) == 4
    slow = max(values, key=lambda one: one.mean)
    bounds = slow.bucket_options.exponential_buckets
    highest = bounds.scale * bounds.growth_factor ** (len(slow.bucket_counts) - 1)
    assert 300 <= highest < 5000


def test_an_aligned_window_is_one_point_and_a_reducer_puts_series_together(cloud, asked):
    aggregated = {"aggregation.perSeriesAligner": "ALIGN_SUM", "aggregation.alignmentPeriod": "3600s"}
    aggregated |= {"aggregation.crossSeriesReducer": "REDUCE_SUM"}
    aggregated |= {"aggregation.groupByFields": "metric.label.response_code"}
    series = listed(cloud, asked[0], "response_count", **aggregated)

    assert totals(series, "response_code") == {("2xx",): 5, ("5xx",): 1}
    assert [len(one["points"]) for one in series] == [1, 1]


def test_what_ended_outside_the_window_or_belongs_to_another_project_is_not_told(cloud, asked):
    assert listed(cloud, asked[0], "response_count", ago_s=60) == []
    times = {"interval.startTime": "2026-01-01T00:00:00Z", "interval.endTime": "2099-01-01T00:00:00Z"}
    query = {"filter": f'metric.type = starts_with("{PREFIX}")', **times}
    assert cloud.http.get("/v3/projects/another/timeSeries", params=query).json() == {}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"filter": 'resource.type = "x"'}, "must name a metric"),
        ({"filter": "metric.type > 3"}, "Unparseable filter"),
        ({"interval.endTime": "today"}, "interval.endTime must be a time"),
        ({"interval.startTime": "2026-01-03T00:00:00Z"}, "must be before"),
        ({"aggregation.perSeriesAligner": "ALIGN_RATE"}, "got ALIGN_RATE"),
        ({"aggregation.perSeriesAligner": "ALIGN_SUM", "aggregation.alignmentPeriod": "5s"}, "at least 60s"),
        ({"aggregation.crossSeriesReducer": "REDUCE_SUM"}, "needs a perSeriesAligner"),
    ],
)
def test_what_is_not_served_is_refused(cloud, query, told):
    times = {"interval.startTime": "2026-01-01T00:00:00Z", "interval.endTime": "2026-01-02T00:00:00Z"}
    good = {"filter": f'metric.type = "{PREFIX}error_count"', **times}
    answer = cloud.http.get("/v3/projects/flan-test/timeSeries", params=good | query)

    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert told in answer.json()["error"]["message"]


def test_counts_survive_a_restart_and_streams_are_counted_when_they_end(start):
    first = start()
    endpoint = first.endpoint(dedicatedEndpointEnabled=True)
    first.deploy(endpoint, first.model())
    with httpx.Client(base_url=first.dedicated_url, trust_env=False) as own:
        assert own.post(f"/v1/{endpoint}:streamRawPredict", json={"stream": True}).text.count("data:") == 3
    first.end()
    second = start(port=first.port)
    time.sleep(1.0)

    (series,) = listed(second, endpoint, "prediction_latencies", 'metric.labels.latency_type = "model"')
    assert float(series["points"][0]["value"]["distributionValue"]["mean"]) > 300  # three pieces, 150 ms each
    assert totals(listed(second, endpoint, "response_count"), "response_code") == {("2xx",): 1}


def test_a_request_that_found_no_healthy_replica_is_an_error_of_its_deployed_model(cloud, faults):
    endpoint = cloud.endpoint()
    number = cloud.deploy(endpoint, cloud.model())["id"]
    (replica,) = cloud.processes(f"{endpoint.rsplit('/', 1)[1]}/{number}")
    faults(match={"container": replica["name"]}, effect={"hold": True}, times=None)
    os.kill(replica["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while cloud.http.post(f"/v1/{endpoint}:predict", json={"instances": [1]}).status_code != 503:
        assert time.monotonic() < deadline
    time.sleep(1.0)

    assert totals(listed(cloud, endpoint, "error_count"), "deployed_model_id")[(number,)] >= 1
