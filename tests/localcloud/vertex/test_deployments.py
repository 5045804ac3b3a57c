"""Deploying, moving traffic, changing and undeploying, with real processes."""

import os
import re
import time

import pytest
from google.api_core import exceptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1.services.endpoint_service import EndpointServiceClient
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceClient

POLLING = DEFAULT_POLLING.with_delay(initial=0.02, multiplier=1.2)  # Google's own begins with a second


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def options(cloud):
    return {
        "credentials": AnonymousCredentials(),
        "transport": "rest",
        "client_options": {"api_endpoint": cloud.url},
    }


@pytest.fixture(scope="module")
def client(options):
    return EndpointServiceClient(**options)


def resources(replicas=1, **machine):
    return {"machine_spec": {"machine_type": "n1-standard-2", **machine}, "min_replica_count": replicas}


def test_a_model_lives_from_upload_to_delete_through_googles_own_clients(client, options, cloud):
    model, endpoint = cloud.model(env={"GREETING": "hey"}), cloud.endpoint()

    operation = client.deploy_model(
        endpoint=endpoint,
        deployed_model={"id": "77", "model": model, "dedicated_resources": resources()},
        traffic_split={"0": 100},
    )
    deployed = operation.result(timeout=30, polling=POLLING).deployed_model
    assert (deployed.id, deployed.model, deployed.model_version_id) == ("77", model.partition("@")[0], "1")
    assert operation.metadata.deployment_stage.name == "SUCCESSFULLY_DEPLOYED"

    answer = PredictionServiceClient(**options).predict(endpoint=endpoint, instances=["one", "two"])
    assert [one["instance"] for one in answer.predictions] == ["one", "two"]
    assert answer.predictions[0]["greeting"] == "hey"
    assert (answer.deployed_model_id, answer.model, answer.model_version_id) == ("77", model.partition("@")[0], "1")

    with pytest.raises(exceptions.BadRequest, match="has deployed or being-deployed"):
        client.delete_endpoint(name=endpoint)
    (process,) = cloud.processes(under=f"/{endpoint.rsplit('/', 1)[1]}/77/")
    client.undeploy_model(endpoint=endpoint, deployed_model_id="77").result(timeout=30, polling=POLLING)
    assert not is_alive(process["pid"])
    assert dict(client.get_endpoint(name=endpoint).traffic_split) == {}
    client.delete_endpoint(name=endpoint).result(timeout=30, polling=POLLING)


def test_the_container_gets_vertex_ais_environment_and_its_images_and_no_other(cloud):
    endpoint = cloud.endpoint()
    model = cloud.model(env={"GREETING": "hey"})

    deployed = cloud.deploy(endpoint, model)

    (said,) = cloud.predict(endpoint)["predictions"]
    aip = said["aip"]
    assert aip.pop("AIP_HTTP_PORT").isdigit()
    assert aip == {
        "AIP_DEPLOYED_MODEL_ID": deployed["id"],
        "AIP_ENDPOINT_ID": endpoint.rsplit("/", 1)[1],
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_HEALTH_ROUTE": "/health",
        "AIP_MACHINE_TYPE": "n1-standard-2",
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_MODEL_NAME": endpoint.rsplit("/", 1)[1],
        "AIP_PREDICT_ROUTE": "/predict",
        "AIP_PROJECT_NUMBER": "123456789012",
        "AIP_STORAGE_URI": "",
        "AIP_VERSION_NAME": deployed["id"],
    }
    names = set(said["variables"])
    assert {"FROM_IMAGE", "GREETING", "HOST", "GCE_METADATA_HOST", "PATH"} <= names
    assert "SECRET_OF_THE_DEVELOPER" not in names


def test_the_stages_of_a_deployment_come_in_order(cloud, faults):
    faults(match={"operation": "deployModel", "stage": "."}, effect={"delay_s": 0.1}, times=None)
    name = cloud.start_deploy(cloud.endpoint(), cloud.model())
    seen = []
    while not (document := cloud.call("GET", f"/ui/{name}"))["done"]:
        if document["metadata"]["deploymentStage"] not in seen:
            seen.append(document["metadata"]["deploymentStage"])
        time.sleep(0.01)

    assert seen == [
        "STARTING_DEPLOYMENT",
        "PREPARING_MODEL",
        "CREATING_SERVING_CLUSTER",
        "ADDING_NODES_TO_CLUSTER",
        "GETTING_CONTAINER_IMAGE",
        "STARTING_MODEL_SERVER",
        "FINISHING_UP",
    ]
    assert document["metadata"]["deploymentStage"] == "SUCCESSFULLY_DEPLOYED"


def test_a_running_deployment_cannot_be_cancelled_and_holds_its_model_and_endpoint(cloud, faults):
    endpoint, model = cloud.endpoint(), cloud.model()
    fault = faults(match={"operation": "deployModel", "stage": "CREATING"}, effect={"hold": True})
    name = cloud.start_deploy(endpoint, model)

    assert "cannot be cancelled" in cloud.refusal("POST", f"/v1/{name}:cancel")["message"]
    assert "being-deployed" in cloud.refusal("DELETE", f"/v1/{endpoint}")["message"]
    assert "being deployed" in cloud.refusal("DELETE", f"/v1/{model.partition('@')[0]}")["message"]

    cloud.call("DELETE", f"/localcloud/faults/{fault}")
    assert "response" in cloud.wait(name)


def test_traffic_goes_by_the_split_and_moves_with_a_patch(client, cloud):
    endpoint, model = cloud.endpoint(), cloud.model(env={"GREETING": "old"})
    new = cloud.model(parent=model.partition("@")[0], env={"GREETING": "new"})
    first = cloud.deploy(endpoint, model)["id"]

    second = cloud.deploy(endpoint, new, split={"0": 25, first: 75})["id"]

    greetings = [cloud.predict(endpoint)["predictions"][0]["greeting"] for _ in range(8)]
    assert (greetings.count("old"), greetings.count("new")) == (6, 2)
    client.update_endpoint(
        endpoint={"name": endpoint, "traffic_split": {second: 100}}, update_mask={"paths": ["traffic_split"]}
    )
    assert cloud.predict(endpoint)["deployedModelId"] == second
    assert cloud.predict(endpoint)["modelVersionId"] == "2"


def test_a_deployment_without_a_split_gets_no_traffic(cloud):
    endpoint = cloud.endpoint()

    cloud.deploy(endpoint, cloud.model(), split={})

    error = cloud.refusal("POST", f"/v1/{endpoint}:predict", {"instances": [1]})
    assert (error["code"], error["status"]) == (400, "FAILED_PRECONDITION")
    assert error["message"] == f"Endpoint {endpoint} doesn't have traffic_split."


@pytest.mark.parametrize(
    ("split", "words"),
    [({"0": 90}, "add up to 100"), ({"0": 50, "999": 50}, r"ID(s) [999] do not exist"), ({"5": 100}, "key '0'")],
)
def test_a_wrong_split_refuses_the_deployment(cloud, split, words):
    body = {
        "deployedModel": {
            "model": cloud.model(),
            "dedicatedResources": {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1},
        },
        "trafficSplit": split,
    }

    error = cloud.refusal("POST", f"/v1/{cloud.endpoint()}:deployModel", body)

    assert words in error["message"]


def test_a_model_with_traffic_is_undeployed_only_when_another_takes_it_over(cloud):
    endpoint, model = cloud.endpoint(), cloud.model()
    first, second = cloud.deploy(endpoint, model)["id"], cloud.deploy(endpoint, model, split={"0": 100})["id"]
    undeploy = f"/v1/{endpoint}:undeployModel"

    assert "100 % of the traffic" in cloud.refusal("POST", undeploy, {"deployedModelId": second})["message"]
    wrong = {"deployedModelId": second, "trafficSplit": {"0": 100}}
    assert "ID(s) [0] do not exist" in cloud.refusal("POST", undeploy, wrong)["message"]

    cloud.operation("POST", undeploy, {"deployedModelId": second, "trafficSplit": {first: 100}})
    assert cloud.predict(endpoint)["deployedModelId"] == first
    assert cloud.refusal("POST", undeploy, {"deployedModelId": second})["status"] == "NOT_FOUND"


def test_replicas_are_changed_in_place_and_share_the_requests(client, cloud):
    endpoint = cloud.endpoint()
    deployed = cloud.deploy(endpoint, cloud.model())

    operation = client.mutate_deployed_model(
        endpoint=endpoint,
        deployed_model={"id": deployed["id"], "dedicated_resources": resources(2, machine_type="ignored")},
        update_mask={"paths": ["dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count"]},
    )

    # max_replica_count was masked but not given: it follows the minimum
    changed = operation.result(timeout=30, polling=POLLING).deployed_model.dedicated_resources
    assert (changed.min_replica_count, changed.max_replica_count) == (2, 2)
    assert changed.machine_spec.machine_type == "n1-standard-2"
    pids = {cloud.predict(endpoint)["predictions"][0]["pid"] for _ in range(4)}
    assert len(pids) == 2


def test_what_cannot_be_mutated_is_refused_by_name(cloud):
    endpoint = cloud.endpoint()
    deployed = cloud.deploy(endpoint, cloud.model())

    error = cloud.refusal(
        "POST",
        f"/v1/{endpoint}:mutateDeployedModel",
        {"deployedModel": {"id": deployed["id"]}, "updateMask": "dedicated_resources.machine_spec"},
    )

    assert "dedicatedResources.machineSpec" in error["message"]


def test_enums_are_taken_as_numbers_and_as_names(client, cloud):
    endpoint, model = cloud.endpoint(), cloud.model()
    a100 = {"machine_type": "a2-highgpu-1g", "accelerator_type": 8, "accelerator_count": 1}

    client.deploy_model(
        endpoint=endpoint, deployed_model={"model": model, "dedicated_resources": resources(**a100)}
    ).result(timeout=30, polling=POLLING)
    cloud.deploy(
        endpoint,
        model,
        dedicatedResources={
            "machineSpec": {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1},
            "minReplicaCount": 1,
        },
        split={},
    )

    shown = cloud.call("GET", f"/v1/{endpoint}")["deployedModels"]
    machines = [one["dedicatedResources"]["machineSpec"]["acceleratorType"] for one in shown]
    assert machines == ["NVIDIA_TESLA_A100", "NVIDIA_L4"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "12345678901"}, "1 to 10 digits"),
        ({"model": "projects/flan-test/locations/us-central1/models/m"}, "same location"),
        ({"dedicatedResources": None}, "DEDICATED_RESOURCES"),
        ({"dedicatedResources": {"machineSpec": {"machineType": "n1"}, "minReplicaCount": 0}}, "at least 1, got 0"),
        (
            {"dedicatedResources": {"machineSpec": {"machineType": "n1"}, "minReplicaCount": 2, "maxReplicaCount": 1}},
            "max_replica_count",
        ),
        (
            {"dedicatedResources": {"machineSpec": {"machineType": "a2-highgpu-1g"}, "minReplicaCount": 1}},
            "needs accelerator type NVIDIA_TESLA_A100",
        ),
    ],
)
def test_a_deployment_is_refused_with_the_value_and_what_is_allowed(cloud, change, words):
    resources = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
    deployed = {"model": cloud.model(), "dedicatedResources": resources, **change}

    error = cloud.refusal("POST", f"/v1/{cloud.endpoint()}:deployModel", {"deployedModel": deployed})

    assert error["status"] == "INVALID_ARGUMENT"
    assert words in error["message"]


def test_an_id_is_deployed_once(cloud):
    endpoint, model = cloud.endpoint(), cloud.model()
    deployed = cloud.deploy(endpoint, model)

    body = {"deployedModel": {**deployed, "model": model}, "trafficSplit": {"0": 100}}
    assert cloud.refusal("POST", f"/v1/{endpoint}:deployModel", body)["status"] == "ALREADY_EXISTS"


def test_a_container_that_crashes_fails_the_deployment_with_googles_words_and_its_log(cloud):
    endpoint = cloud.endpoint()

    done = cloud.wait(cloud.start_deploy(endpoint, cloud.model(env={"CRASH": "no module named flan"})))

    assert done["metadata"]["deploymentStage"] == "FAILED_TO_DEPLOY"
    assert done["error"]["code"] == 9
    assert done["error"]["message"].startswith("Model server exited unexpectedly.")
    log = cloud.http.get(done["error"]["message"].rpartition("logs can be found at ")[2])
    assert "crash at import: no module named flan" in log.text
    assert cloud.processes(under=endpoint.rsplit("/", 1)[1]) == []
    cloud.operation("DELETE", f"/v1/{endpoint}")


def test_a_container_that_is_never_healthy_fails_at_its_deployment_timeout(cloud):
    endpoint, model = cloud.endpoint(), cloud.model(env={"UNHEALTHY": "1"}, deploymentTimeout="1s")

    done = cloud.wait(cloud.start_deploy(endpoint, model))

    assert done["error"]["code"] == 9
    assert done["error"]["message"].startswith("Model server never became ready.")
    assert "/health answered 503" in done["error"]["message"]


def test_a_crashed_replica_is_started_again(cloud):
    endpoint = cloud.endpoint()
    cloud.deploy(endpoint, cloud.model())
    (process,) = cloud.processes(under=f"/{endpoint.rsplit('/', 1)[1]}/")

    os.kill(process["pid"], 9)

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        (again,) = cloud.processes(under=f"/{endpoint.rsplit('/', 1)[1]}/")
        if again["state"] == "healthy" and again["pid"] != process["pid"]:
            break
        time.sleep(0.05)
    assert again["restarts"] == 1
    assert cloud.predict(endpoint)["predictions"]


def test_args_of_the_container_spec_replace_the_images_command_and_see_its_variables(cloud):
    endpoint = cloud.endpoint()
    script = "import os,sys; os.environ['GREETING']=sys.argv[1]; exec(open('server.py').read())"
    model = cloud.model(command=["python", "-c"], args=[script, "port $(AIP_HTTP_PORT) $$(AIP_MODE)"])

    cloud.deploy(endpoint, model)

    greeting = cloud.predict(endpoint)["predictions"][0]["greeting"]
    assert re.fullmatch(r"port \d+ \$\(AIP_MODE\)", greeting)
