"""Every attribute of `vertex_endpoint_deployed_model`: changed in place, deployed anew, and by hand."""

from __future__ import annotations

import re

import pytest

from tests.provider.bodies import changed

pytestmark = [pytest.mark.e2e]

CPU = "aiplatform.googleapis.com/prediction/online/cpu/utilization"
RESOURCES = ("dedicated_resources", 0)
MACHINE = (*RESOURCES, "machine_spec", 0)
# What Google changes, and how its document shows it then.
MUTATED = {
    "min_replica_count": ((*RESOURCES, "min_replica_count"), 2, ("minReplicaCount", 2)),
    "max_replica_count": ((*RESOURCES, "max_replica_count"), 3, ("maxReplicaCount", 3)),
    "required_replica_count": ((*RESOURCES, "required_replica_count"), 1, ("requiredReplicaCount", 1)),
    "autoscaling_metric_specs": (
        (*RESOURCES, "autoscaling_metric_specs"),
        [{"metric_name": CPU, "target": 70}],
        ("autoscalingMetricSpecs", [{"metricName": CPU, "target": 70}]),
    ),
}
# What is Terraform's own.
KEPT = {
    "strategy": "recreate",
    "keep_previous": True,
    "drain": "1s",
    "traffic": [{"percent": 10}],
    "golden": [{"instance": '"hi"'}],
    "timeouts": {"create": "1h"},
}
ANEW = {
    "display_name": (("display_name",), "Another"),
    "service_account": (("service_account",), "other@flan.iam.gserviceaccount.com"),
    "enable_access_logging": (("enable_access_logging",), True),
    "deployed_model_id": (("deployed_model_id",), "77"),
    "machine_type": ((*MACHINE, "machine_type"), "n1-standard-8"),
    "accelerator_type": ((*MACHINE, "accelerator_type"), "NVIDIA_TESLA_P4"),
    "accelerator_count": ((*MACHINE, "accelerator_count"), 2),
    "reservation_affinity": (
        (*MACHINE, "reservation_affinity"),
        [{"reservation_affinity_type": "ANY_RESERVATION"}],
    ),
    "spot": ((*RESOURCES, "spot"), True),
}


@pytest.fixture(scope="module")
def endpoint(cloud):
    name = cloud.endpoint("770000001")
    yield name
    cloud.call("PATCH", f"/v1/{name}?updateMask=trafficSplit", {"trafficSplit": {}})
    for one in cloud.deployed_to(name):
        cloud.done("POST", f"/v1/{name}:undeployModel", {"deployedModelId": one["id"]})


@pytest.fixture(scope="module")
def body(deployed, endpoint, models):
    made = deployed(endpoint, models[0], replicas=(1, 2))
    accelerator = {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
    return changed(made, MACHINE, made["dedicated_resources"][0]["machine_spec"][0] | accelerator)


@pytest.fixture(scope="module")
def flan(workspace, body):
    folder = workspace("deployed-attributes").write(endpoint_deployed_model=body)
    folder.apply()
    return folder


def test_what_google_can_change_is_changed_in_place_one_by_one_and_together(flan, cloud, endpoint, body):
    (before,) = cloud.deployed_to(endpoint)
    for path, value, (field, shown) in MUTATED.values():
        body = changed(body, path, value)
        assert "0 added, 1 changed, 0 destroyed" in flan.write(endpoint_deployed_model=body).apply()
        assert cloud.deployed_to(endpoint)[0]["dedicatedResources"][field] == shown
    flan.write(endpoint_deployed_model=body | {"disable_container_logging": True, "traffic_percent": 100}).apply()

    (after,) = cloud.deployed_to(endpoint)
    assert (after["id"], after["createTime"]) == (before["id"], before["createTime"])
    assert after["disableContainerLogging"] is True
    assert flan.is_unchanged()


def test_what_only_terraform_keeps_changes_in_place_and_asks_google_for_nothing(flan, cloud, endpoint, body):
    flan.write(endpoint_deployed_model=body).apply()
    calls = cloud.requests("POST", endpoint.rpartition("/")[2])
    flan.write(endpoint_deployed_model=body | KEPT)

    assert "0 added, 1 changed, 0 destroyed" in flan.apply()
    assert {name: flan.state()["endpoint_deployed_model"][name] for name in ("strategy", "drain")} == {
        "strategy": "recreate",
        "drain": "1s",
    }
    assert cloud.requests("POST", endpoint.rpartition("/")[2]) == calls
    assert flan.is_unchanged()


@pytest.mark.parametrize("name", ANEW)
def test_what_google_cannot_change_is_deployed_anew_as_an_update(flan, body, name):
    path, value = ANEW[name]
    flan.write(endpoint_deployed_model=changed(body, path, value))

    said = flan.run("plan", "-input=false")
    assert "0 to add, 1 to change, 0 to destroy" in said
    assert re.search(r'deployed_model_id += "(\d+)" -> "(?!\1)\d+"', said), said


@pytest.mark.parametrize("change", [{"track": "canary"}, {"endpoint": None}], ids=lambda change: next(iter(change)))
def test_another_endpoint_or_track_is_another_resource(flan, body, change):
    other = {"endpoint": body["endpoint"][:-1] + "2"} if "endpoint" in change else change
    flan.write(endpoint_deployed_model=body | other)

    assert flan.actions() == {"endpoint_deployed_model": "replace"}
    flan.write(endpoint_deployed_model=body)


def test_scaling_drift_in_every_attribute_is_shown_and_taken_back(flan, cloud, endpoint, body):
    flan.write(endpoint_deployed_model=body).apply()
    (one,) = cloud.deployed_to(endpoint)
    resources = {"minReplicaCount": 2, "maxReplicaCount": 3, "requiredReplicaCount": 1}
    resources["autoscalingMetricSpecs"] = [{"metricName": CPU, "target": 50}]
    mask = ",".join(f"dedicatedResources.{name}" for name in resources) + ",disableContainerLogging"
    wanted = {"id": one["id"], "dedicatedResources": resources, "disableContainerLogging": True}
    cloud.done("POST", f"/v1/{endpoint}:mutateDeployedModel", {"deployedModel": wanted, "updateMask": mask})

    before = flan.plan()["endpoint_deployed_model"]["before"]
    seen = before["dedicated_resources"][0]
    assert (seen["min_replica_count"], seen["max_replica_count"], seen["required_replica_count"]) == (2, 3, 1)
    assert seen["autoscaling_metric_specs"] == [{"metric_name": CPU, "target": 50}]
    assert before["disable_container_logging"] is True
    flan.run("apply", "plan")
    assert flan.is_unchanged()
    (after,) = cloud.deployed_to(endpoint)
    assert after["createTime"] == one["createTime"]
    assert "autoscalingMetricSpecs" not in after["dedicatedResources"]


def test_a_replacement_is_deployed_before_the_old_one_is_undeployed(flan, cloud, endpoint, body):
    (old,) = cloud.deployed_to(endpoint)
    flan.write(endpoint_deployed_model=body | {"track": "canary"})

    assert "1 added, 0 changed, 1 destroyed" in flan.apply()
    (new,) = cloud.deployed_to(endpoint)
    assert new["id"] != old["id"]
    assert cloud.call("GET", f"/v1/{endpoint}")["trafficSplit"] == {new["id"]: 100}
    assert flan.is_unchanged()
    flan.destroy()
