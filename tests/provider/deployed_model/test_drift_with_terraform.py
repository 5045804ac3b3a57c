"""What was changed behind Terraform's back, attribute by attribute: a plan shows it, an apply takes it back."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e]

ACCOUNT = "other@flan.iam.gserviceaccount.com"


@pytest.fixture
def folder(workspace, cloud, models, new_endpoint, deployed):
    made = workspace("drifted").write(endpoint_deployed_model=deployed(new_endpoint, models[0], replicas=(1, 2)))
    made.apply()
    return made


def redeployed(cloud, endpoint, change):
    """Somebody undeployed it and deployed something else under the same id."""
    (one,) = cloud.deployed_to(endpoint)
    cloud.call("PATCH", f"/v1/{endpoint}?updateMask=trafficSplit", {"trafficSplit": {}})
    cloud.done("POST", f"/v1/{endpoint}:undeployModel", {"deployedModelId": one["id"]})
    kept = ("id", "model", "displayName", "dedicatedResources")
    body = {key: one[key] for key in kept} | {"model": f"{one['model']}@{one['modelVersionId']}"}
    body["dedicatedResources"] = body["dedicatedResources"] | change.pop("resources", {})
    cloud.done("POST", f"/v1/{endpoint}:deployModel", {"deployedModel": body | change, "trafficSplit": {"0": 100}})


def test_a_deployment_made_otherwise_under_the_same_id_is_drift_in_every_attribute(folder, cloud, new_endpoint):
    machine = {"machineSpec": {"machineType": "n1-standard-8"}, "spot": True, "maxReplicaCount": 3}
    logging = {"enableAccessLogging": True, "disableContainerLogging": True}
    redeployed(
        cloud, new_endpoint, {"serviceAccount": ACCOUNT, "displayName": "renamed", "resources": machine, **logging}
    )

    before = folder.plan()["endpoint_deployed_model"]["before"]
    resources = before["dedicated_resources"][0]
    assert (before["service_account"], before["display_name"]) == (ACCOUNT, "renamed")
    assert (before["enable_access_logging"], before["disable_container_logging"]) == (True, True)
    assert (resources["spot"], resources["max_replica_count"]) == (True, 3)
    assert resources["machine_spec"][0]["machine_type"] == "n1-standard-8"
    folder.run("apply", "plan")
    (one,) = cloud.deployed_to(new_endpoint)
    assert one["dedicatedResources"]["machineSpec"]["machineType"] == "n1-standard-2"
    assert "enableAccessLogging" not in one
    assert folder.is_unchanged()


def test_traffic_taken_away_by_hand_is_drift(folder, cloud, new_endpoint):
    cloud.call("PATCH", f"/v1/{new_endpoint}?updateMask=trafficSplit", {"trafficSplit": {}})

    change = folder.plan()["endpoint_deployed_model"]
    assert (change["before"]["traffic_percent"], change["after"]["traffic_percent"]) == (0, 100)
    folder.run("apply", "plan")
    (one,) = cloud.deployed_to(new_endpoint)
    assert cloud.call("GET", f"/v1/{new_endpoint}")["trafficSplit"] == {one["id"]: 100}


def test_another_version_under_the_same_id_is_drift_in_the_model(folder, cloud, models, new_endpoint):
    redeployed(cloud, new_endpoint, {"model": models[1]})

    change = folder.plan()["endpoint_deployed_model"]
    assert change["before"]["model"].endswith(models[1].partition("models/")[2])
    folder.run("apply", "plan")
    (one,) = cloud.deployed_to(new_endpoint)
    assert models[0].endswith(f"@{one['modelVersionId']}")
    assert folder.is_unchanged()
