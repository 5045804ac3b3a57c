"""`vertex_endpoint_deployed_model` through its life: real Terraform, the provider, a real local cloud."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
NUMBERED = "projects/123456789012/locations/europe-west4"
ENDPOINT = f"{PARENT}/endpoints/4242"


@pytest.fixture(scope="module")
def flan(workspace, cloud, models, deployed):
    """A folder in which the first version was deployed; each test leaves its configuration applied."""
    cloud.endpoint("4242", dedicatedEndpointEnabled=True)
    folder = workspace("deployed").write(endpoint_deployed_model=deployed(ENDPOINT, models[0]))
    change = folder.plan()["endpoint_deployed_model"]
    folder.run("apply", "plan")
    folder.planned = change
    return folder


def test_id_and_deployed_model_id_are_known_at_plan_time(flan):
    state = flan.state()["endpoint_deployed_model"]

    assert flan.planned["after"]["deployed_model_id"] == state["deployed_model_id"]
    assert flan.planned["after"]["id"] == state["id"] == f"{ENDPOINT}/deployedModels/{state['deployed_model_id']}"
    assert flan.planned["after_unknown"]["predict_url"] is True


def test_create_deploys_with_all_traffic_and_tells_where_to_predict(flan, cloud):
    state = flan.state()["endpoint_deployed_model"]

    assert cloud.call("GET", f"/v1/{ENDPOINT}")["trafficSplit"] == {state["deployed_model_id"]: 100}
    assert state["status"] == "ready"
    assert state["predict_url"] == f"http://{state['dedicated_endpoint_dns']}/v1/{NUMBERED}/endpoints/4242:predict"
    answer = type(cloud)("").call("POST", state["predict_url"], {"instances": ["hi"]})
    assert answer["predictions"] == [{"version": "1", "greeting": None}]


def test_each_phase_is_told_with_its_time(flan):
    lines = [json.loads(line) for line in flan.progress_file.read_text().splitlines()]

    phases = [line["phase"] for line in lines]
    assert (phases[0], phases[-1]) == ("REQUESTED", "SUCCESSFULLY_DEPLOYED")
    assert {line["resource"] for line in lines} == {"vertex_endpoint_deployed_model"}
    assert all(set(line) >= {"time", "resource", "id", "phase", "elapsed_s", "message"} for line in lines)


def test_a_plan_of_an_unchanged_world_is_empty(flan):
    assert flan.is_unchanged()


def test_nothing_sensitive_is_in_state_or_progress(flan):
    everything = "".join(path.read_text() for path in (flan.folder / "terraform.tfstate", flan.progress_file))

    assert "local-secret" not in everything


def test_replicas_change_in_place(flan, cloud, models, deployed):
    flan.write(endpoint_deployed_model=deployed(ENDPOINT, models[0], replicas=(2, 3)))
    (before,) = cloud.deployed_to(ENDPOINT)
    flan.apply()

    (one,) = cloud.deployed_to(ENDPOINT)
    assert one["createTime"] == before["createTime"]
    assert (one["dedicatedResources"]["minReplicaCount"], one["dedicatedResources"]["maxReplicaCount"]) == (2, 3)
    assert flan.is_unchanged()


def test_replicas_changed_by_hand_are_drift(flan, cloud, models, deployed):
    (one,) = cloud.deployed_to(ENDPOINT)
    resources = {"minReplicaCount": 1, "maxReplicaCount": 1}
    body = {"deployedModel": {"id": one["id"], "dedicatedResources": resources}}
    body["updateMask"] = "dedicatedResources.minReplicaCount,dedicatedResources.maxReplicaCount"
    cloud.done("POST", f"/v1/{ENDPOINT}:mutateDeployedModel", body)

    change = flan.plan()["endpoint_deployed_model"]
    assert change["actions"] == ["update"]
    assert change["before"]["dedicated_resources"][0]["min_replica_count"] == 1
    flan.write(endpoint_deployed_model=deployed(ENDPOINT, models[0]))
    assert flan.is_unchanged()


def test_a_replacement_forced_by_the_user_does_not_take_down_what_it_adopted(flan, cloud):
    (before,) = cloud.deployed_to(ENDPOINT)
    said = flan.apply("-replace=vertex_endpoint_deployed_model.this")

    assert "stays: its replacement is the same" in said
    (after,) = cloud.deployed_to(ENDPOINT)
    assert (after["id"], after["createTime"]) == (before["id"], before["createTime"])


def test_a_new_model_version_serves_before_the_old_one_goes(flan, cloud, models, deployed):
    old = flan.state()["endpoint_deployed_model"]["deployed_model_id"]
    flan.write(endpoint_deployed_model=deployed(ENDPOINT, models[1]))

    change = flan.plan()["endpoint_deployed_model"]
    assert change["actions"] == ["update"]
    flan.run("apply", "plan")
    (one,) = cloud.deployed_to(ENDPOINT)
    assert (one["modelVersionId"], one["id"] != old) == ("2", True)
    assert one["id"] == change["after"]["deployed_model_id"]
    assert cloud.call("GET", f"/v1/{ENDPOINT}")["trafficSplit"] == {one["id"]: 100}
    assert flan.phases()[-2:] == [f"UNDEPLOYING {old}", f"UNDEPLOYED {old}"]
    assert flan.is_unchanged()


def test_another_machine_inside_nested_blocks_is_a_new_deployment(flan, models, deployed):
    flan.write(endpoint_deployed_model=deployed(ENDPOINT, models[1], machine="n1-standard-4"))

    change = flan.plan()["endpoint_deployed_model"]
    assert change["actions"] == ["update"]
    assert change["after"]["deployed_model_id"] != change["before"]["deployed_model_id"]
    assert change["after"]["predict_url"] == change["before"]["predict_url"]
    flan.write(endpoint_deployed_model=deployed(ENDPOINT, models[1]))


def test_an_imported_deployed_model_plans_nothing(flan, workspace, models, deployed):
    configuration = deployed(ENDPOINT, models[1]) | {"drain": "10s"}  # what an import cannot know has its default
    copy = workspace("deployed-imported").write(endpoint_deployed_model=configuration)
    copy.run("import", "vertex_endpoint_deployed_model.this", flan.state()["endpoint_deployed_model"]["id"])

    assert copy.is_unchanged()


def test_undeployed_by_hand_is_drift_and_its_destroy_is_no_error(flan, cloud):
    (one,) = cloud.deployed_to(ENDPOINT)
    cloud.done("POST", f"/v1/{ENDPOINT}:undeployModel", {"deployedModelId": one["id"]})

    assert flan.actions() == {"endpoint_deployed_model": "create"}
    flan.run("destroy", "-auto-approve", "-refresh=false")
    assert flan.state() == {}


def test_an_endpoint_that_is_gone_is_drift(workspace, cloud, models, deployed):
    endpoint = cloud.endpoint("4343")
    folder = workspace("endpoint-gone").write(endpoint_deployed_model=deployed(endpoint, models[0]))
    folder.apply()
    (one,) = cloud.deployed_to(endpoint)
    cloud.done("POST", f"/v1/{endpoint}:undeployModel", {"deployedModelId": one["id"]})
    cloud.done("DELETE", f"/v1/{endpoint}")

    assert folder.actions() == {"endpoint_deployed_model": "create"}


def test_undeploying_gives_the_traffic_to_those_who_stay(workspace, cloud, models, new_endpoint, deployed):
    folder = workspace("deployed-beside").write(
        endpoint_deployed_model=deployed(new_endpoint, models[0], traffic_percent=60)
    )
    body = {"deployedModel": {"id": "7", "model": models[1], "dedicatedResources": {}}, "trafficSplit": {"0": 100}}
    body["deployedModel"]["dedicatedResources"] = {
        "machineSpec": {"machineType": "n1-standard-2"},
        "minReplicaCount": 1,
    }
    cloud.done("POST", f"/v1/{new_endpoint}:deployModel", body)
    folder.apply()
    number = folder.state()["endpoint_deployed_model"]["deployed_model_id"]
    assert cloud.call("GET", f"/v1/{new_endpoint}")["trafficSplit"] == {number: 60, "7": 40}

    folder.destroy()
    assert cloud.call("GET", f"/v1/{new_endpoint}")["trafficSplit"] == {"7": 100}


def test_a_failed_deployment_says_why_and_where_and_leaves_nothing(
    workspace, cloud, models, new_endpoint, faults, deployed
):
    folder = workspace("deployed-quota").write(endpoint_deployed_model=deployed(new_endpoint, models[0]))
    faults({"operation": "deployModel", "stage": "ADDING_NODES"}, {"preset": "quota"})

    said = folder.refused("apply", "-auto-approve")
    assert "CustomModelServingA100GPUsPerProjectPerRegion" in said
    assert "Google:  RESOURCE_EXHAUSTED: The following quotas are exceeded" in said
    assert "Console: https://console.cloud.google.com/vertex-ai/online-prediction/locations/europe-west4/" in said
    assert folder.state() == {}
    folder.apply()
    assert folder.state()["endpoint_deployed_model"]["status"] == "ready"


def held_deployment(workspace, cloud, models, endpoint, faults, name, deployed):
    """An apply that waits for a deployment which does not end before its fault is deleted."""
    folder = workspace(name).write(endpoint_deployed_model=deployed(endpoint, models[0]))
    faults({"operation": "deployModel", "stage": "GETTING"}, {"hold": True})
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("GETTING_CONTAINER_IMAGE")
    return folder, process


def test_an_interrupted_deployment_keeps_its_names_and_is_taken_up_again(
    workspace, cloud, models, new_endpoint, faults, deployed
):
    folder, process = held_deployment(workspace, cloud, models, new_endpoint, faults, "deployed-stopped", deployed)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)

    assert process.returncode == 1, output
    assert time.monotonic() - started < 5
    assert "Interrupted while deployed model" in output
    state = folder.state()["endpoint_deployed_model"]
    assert (state["status"], state["tainted"]) == ("deploying", False)
    assert state["id"].startswith(f"{new_endpoint}/deployedModels/")
    assert "/operations/" in state["operation"]
    cloud.call("DELETE", "/localcloud/faults")
    folder.apply()
    assert folder.state()["endpoint_deployed_model"]["status"] == "ready"
    assert folder.is_unchanged()
    assert cloud.requests("POST", f"{new_endpoint.rpartition('/')[2]}:deployModel") == 1


def test_a_deployment_past_its_time_out_is_kept_and_its_destroy_waits_for_it(
    workspace, cloud, models, new_endpoint, faults, deployed
):
    folder = workspace("deployed-late")
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[0], timeouts={"create": "1s"}))
    fault = faults({"operation": "deployModel", "stage": "GETTING"}, {"hold": True})
    said = folder.apply()
    assert "takes longer than 00:01 while deployed model" in said
    assert folder.state()["endpoint_deployed_model"]["status"] == "deploying"

    destroying = folder.start("destroy", "-auto-approve")
    time.sleep(2)
    cloud.call("DELETE", f"/localcloud/faults/{fault}")
    output, _ = destroying.communicate(timeout=30)
    assert destroying.returncode == 0, output
    assert cloud.deployed_to(new_endpoint) == []


def test_a_killed_terraform_takes_the_provider_with_it_and_the_next_apply_joins(
    workspace, cloud, models, new_endpoint, faults, deployed
):
    folder, process = held_deployment(workspace, cloud, models, new_endpoint, faults, "deployed-killed", deployed)
    (plugin,) = children(process.pid)
    process.kill()
    process.communicate(timeout=20)

    deadline = time.monotonic() + 8
    while is_running(plugin) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(plugin)
    (folder.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
    again = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("JOINED")
    cloud.call("DELETE", "/localcloud/faults")
    output, _ = again.communicate(timeout=30)
    assert again.returncode == 0, output
    assert len(cloud.deployed_to(new_endpoint)) == 1


def children(pid):
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(one) for thread in threads for one in (thread / "children").read_text().split()]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_is_deployed_already_under_the_same_id_is_adopted(workspace, cloud, models, new_endpoint, deployed):
    folder = workspace("deployed-adopted").write(endpoint_deployed_model=deployed(new_endpoint, models[0]))
    folder.apply()
    (folder.folder / "terraform.tfstate").unlink()
    folder.write(endpoint_deployed_model=deployed(new_endpoint, models[0], replicas=(1, 2)))
    folder.apply()

    assert "ADOPTED" in folder.phases()
    (one,) = cloud.deployed_to(new_endpoint)
    assert one["dedicatedResources"]["maxReplicaCount"] == 2
    assert folder.is_unchanged()
