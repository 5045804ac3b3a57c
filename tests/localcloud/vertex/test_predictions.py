"""Limits and shapes of predict, rawPredict and streamRawPredict."""

import time

import httpx
import pytest


@pytest.fixture(scope="module")
def shared(cloud):
    endpoint = cloud.endpoint()
    cloud.deploy(endpoint, cloud.model())
    return endpoint


@pytest.fixture(scope="module")
def dedicated(cloud):
    endpoint = cloud.endpoint(dedicatedEndpointEnabled=True, clientConnectionConfig={"inferenceTimeout": "1s"})
    cloud.deploy(endpoint, cloud.model())
    return endpoint


@pytest.fixture(scope="module")
def own_domain(cloud):
    with httpx.Client(base_url=cloud.dedicated_url, trust_env=False, timeout=20) as client:
        yield client


def test_a_request_over_one_and_a_half_megabytes_is_refused_on_a_shared_endpoint(cloud, shared):
    error = cloud.refusal("POST", f"/v1/{shared}:predict", {"instances": ["x" * 1_600_000]})

    assert (error["code"], error["status"]) == (400, "FAILED_PRECONDITION")
    assert "exceeds 1.500MB limit." in error["message"]


def test_an_answer_over_one_and_a_half_megabytes_is_refused_on_a_shared_endpoint(cloud, shared):
    error = cloud.refusal("POST", f"/v1/{shared}:predict", {"instances": ["large"]})

    assert "response size" in error["message"]


def test_a_dedicated_endpoint_takes_ten_megabytes(own_domain, dedicated):
    fits = own_domain.post(f"/v1/{dedicated}:predict", json={"instances": ["x" * 9_000_000]})
    does_not = own_domain.post(f"/v1/{dedicated}:predict", json={"instances": ["x" * 10_500_000]})

    assert fits.status_code == 200
    assert "exceeds 10.000MB limit." in does_not.json()["error"]["message"]


def test_a_dedicated_endpoint_answers_through_its_own_domain_only(cloud, own_domain, dedicated, shared):
    error = cloud.refusal("POST", f"/v1/{dedicated}:predict", {"instances": [1]})

    assert (error["code"], error["status"]) == (400, "FAILED_PRECONDITION")
    assert error["message"] == (
        "Dedicated Endpoint cannot be accessed through the shared Vertex AI domain aiplatform.googleapis.com. "
        f"Please access the endpoint using its dedicated domain name '127.0.0.1:{cloud.port + 1}'"
    )
    assert own_domain.post(f"/v1/{dedicated}:predict", json={"instances": [1]}).json()["predictions"]
    assert own_domain.post(f"/v1/{shared}:predict", json={"instances": [1]}).status_code == 400


def test_a_prediction_that_takes_too_long_ends_with_deadline_exceeded(own_domain, dedicated):
    began = time.monotonic()

    answer = own_domain.post(f"/v1/{dedicated}:predict", json={"instances": [{"sleep": 5}]})

    assert (answer.status_code, answer.json()["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
    assert answer.json()["error"]["message"].startswith("Timeout. Model server logs can be found at http")
    assert time.monotonic() - began < 4


def test_instances_must_be_a_list(cloud, shared):
    assert "`instances` must be a list" in cloud.refusal("POST", f"/v1/{shared}:predict", {"prompt": "x"})["message"]


@pytest.mark.parametrize("status", [400, 422, 429, 503])
def test_the_containers_own_refusal_comes_through_with_its_status(cloud, shared, status):
    error = cloud.refusal("POST", f"/v1/{shared}:predict", {"instances": [{"status": status}]})

    assert (error["code"], "as asked" in error["message"]) == (status, True)


def test_an_answer_without_predictions_is_an_error_that_says_so(cloud, shared):
    error = cloud.refusal("POST", f"/v1/{shared}:predict", {"instances": ["shapeless"]})

    assert (error["code"], "rawPredict" in error["message"]) == (500, True)


def test_a_raw_prediction_comes_back_as_the_container_gave_it(cloud, shared):
    answer = cloud.http.post(f"/v1/{shared}:rawPredict", json={"any": "shape"})

    assert answer.json() == {"raw": {"any": "shape"}, "path": "/predict"}
    assert answer.headers["x-vertex-ai-endpoint-id"] == shared.rsplit("/", 1)[1]
    assert answer.headers["x-vertex-ai-deployed-model-id"]


def test_a_stream_arrives_event_by_event_on_a_dedicated_endpoint(own_domain, dedicated):
    arrivals = []
    with own_domain.stream("POST", f"/v1/{dedicated}:streamRawPredict", json={"stream": True}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        arrivals = [(time.monotonic(), line) for line in answer.iter_lines() if line]

    assert [line for _, line in arrivals] == ["data: 0", "data: 1", "data: 2"]
    assert arrivals[-1][0] - arrivals[0][0] > 0.2


def test_a_shared_endpoint_does_not_stream(cloud, shared):
    error = cloud.refusal("POST", f"/v1/{shared}:streamRawPredict", {"stream": True})

    assert "Dedicated Endpoint" in error["message"]


def test_an_unknown_endpoint_is_not_found(cloud):
    error = cloud.refusal("POST", f"/v1/{cloud.parent}/endpoints/1:predict", {"instances": [1]})

    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
