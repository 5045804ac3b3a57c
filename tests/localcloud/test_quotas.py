"""Quotas as Service Usage tells them, and the accounts of Google's own that a service brings."""

import pytest

A100 = "custom_model_serving_nvidia_a100_gpus"
METRICS = "/v1beta1/projects/flan-test/services/aiplatform.googleapis.com/consumerQuotaMetrics"
FULL = f"{METRICS}/aiplatform.googleapis.com%2F{A100}"


def buckets(cloud):
    (limit,) = cloud.call("GET", FULL)["consumerQuotaLimits"]
    assert limit["unit"] == "1/{project}/{region}"
    return {one.get("dimensions", {}).get("region", ""): one["effectiveLimit"] for one in limit["quotaBuckets"]}


def test_a_metric_is_told_with_a_bucket_for_each_region_that_has_one_of_its_own(cloud):
    cloud.call("PUT", "/localcloud/quotas", {"project": "123456789012", "metric": A100, "region": "r1", "limit": 0})

    assert buckets(cloud) == {"": "8", "r1": "0"}


def test_all_metrics_of_a_service_are_listed(cloud):
    names = [one["metric"] for one in cloud.call("GET", METRICS)["metrics"]]

    assert f"aiplatform.googleapis.com/{A100}" in names
    assert cloud.call("GET", METRICS.replace("aiplatform", "run")) == {}


@pytest.mark.parametrize(
    "body",
    [
        {"project": "p", "metric": "bananas", "region": "r", "limit": 1},
        {"project": "p", "metric": A100, "region": "r", "limit": "many"},
        {"metric": A100, "region": "r", "limit": 1},
    ],
)
def test_a_quota_that_makes_no_sense_is_refused(cloud, body):
    assert cloud.refusal("PUT", "/localcloud/quotas", body)["status"] == "INVALID_ARGUMENT"


def test_an_unknown_metric_is_not_found(cloud):
    assert cloud.refusal("GET", f"{METRICS}/aiplatform.googleapis.com%2Fbananas")["status"] == "NOT_FOUND"


def agents(cloud, project):
    policy = cloud.call("POST", f"/v1/projects/{project}:getIamPolicy", {})
    return {one["role"]: one["members"] for one in policy.get("bindings", [])}


def test_switching_a_service_on_gives_its_agent_its_role_once(cloud):
    number = cloud.call("GET", "/v1/projects/agents-1")["projectNumber"]
    for _ in range(2):
        cloud.call("POST", "/v1/projects/agents-1/services/aiplatform.googleapis.com:enable")

    member = f"serviceAccount:service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com"
    assert agents(cloud, "agents-1") == {"roles/aiplatform.serviceAgent": [member]}


def test_a_role_that_was_taken_from_an_agent_stays_away(cloud):
    cloud.call("POST", "/v1/projects/agents-2/services/run.googleapis.com:enable")
    cloud.call("POST", "/v1/projects/agents-2:setIamPolicy", {"policy": {"bindings": []}})
    cloud.call("POST", "/v1/projects/agents-2/services/run.googleapis.com:enable")

    assert agents(cloud, "agents-2") == {}


def test_an_agent_is_named_without_being_granted_anything(cloud):
    path = "/v1beta1/projects/agents-3/services/{}.googleapis.com:generateServiceIdentity"

    named = cloud.call("POST", path.format("aiplatform"))["response"]["email"]

    assert named.endswith("@gcp-sa-aiplatform.iam.gserviceaccount.com")
    assert agents(cloud, "agents-3") == {}
    assert cloud.refusal("POST", path.format("storage"))["status"] == "INVALID_ARGUMENT"
