"""Machines and replicas to Google's documents and back."""

import pytest

from provider.deployed_model.dedicated_resources import resources_from_api, resources_to_api
from provider.deployed_model.document import seen
from provider.deployed_model.schema import SCHEMA


def resources(**fields):
    machine = {"machine_type": "a2-highgpu-1g", "accelerator_type": "NVIDIA_TESLA_A100", "accelerator_count": None}
    empty = {"required_replica_count": None, "spot": None, "autoscaling_metric_specs": []}
    block = {"min_replica_count": 1, "max_replica_count": 1, **empty}
    block["machine_spec"] = [machine | {"reservation_affinity": []}]
    return {"dedicated_resources": [block | fields]}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"spot": True},
        {"spot": False},
        {"required_replica_count": 1},
        {"autoscaling_metric_specs": [{"metric_name": "duty_cycle", "target": 60}]},
    ],
)
def test_resources_come_back_as_they_went(fields):
    state = resources(**fields)

    assert [resources_from_api(resources_to_api(state), state)] == state["dedicated_resources"]


def test_what_google_spells_otherwise_is_no_difference():
    machine = {"machineType": "a2-highgpu-1g", "acceleratorType": "NVIDIA_TESLA_A100", "acceleratorCount": "1"}
    body = {"machineSpec": machine, "minReplicaCount": "1", "maxReplicaCount": 1, "requiredReplicaCount": 1}

    assert [resources_from_api(body, resources())] == resources()["dedicated_resources"]


def test_replicas_that_the_autoscaler_moved_are_no_difference():
    """Google tells how many run now beside the bounds; between these no number is wrong."""
    body = resources_to_api(resources(max_replica_count=5))
    endpoint = {"trafficSplit": {"7": 100}}
    found = {"id": "7", "model": "projects/1/locations/l/models/m", "modelVersionId": "1", "dedicatedResources": body}
    state = SCHEMA.body.empty() | resources(max_replica_count=5) | {"endpoint": "e", "model": found["model"] + "@1"}

    views = [seen(endpoint, found | {"status": {"availableReplicaCount": number}}, state) for number in (1, 3, 5)]
    assert views[0] == views[1] == views[2]
    assert views[0]["dedicated_resources"] == state["dedicated_resources"]
