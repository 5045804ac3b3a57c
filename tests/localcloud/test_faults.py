"""Faults on demand, as a client meets them."""

import time

import httpx
import pytest


def creates(cloud, endpoint_id):
    found = cloud.http.get("/localcloud/journal", params={"method": "POST", "path": "/endpoints$"}).json()["requests"]
    return [one for one in found if endpoint_id in one.get("query", "")]


def create_url(cloud, endpoint_id):
    return f"/v1/{cloud.parent}/endpoints?endpointId={endpoint_id}"


@pytest.mark.parametrize(
    ("effect", "code", "status"),
    [
        ({"preset": "unavailable"}, 503, "UNAVAILABLE"),
        ({"preset": "too_many_requests", "retry_after_s": 1}, 429, "RESOURCE_EXHAUSTED"),
        ({"status": "PERMISSION_DENIED", "message": "no"}, 403, "PERMISSION_DENIED"),
    ],
)
def test_a_request_is_refused_as_often_as_asked_and_then_goes_through(cloud, faults, effect, code, status):
    endpoint_id = cloud.new_id()
    faults(match={"method": "POST", "path": "/endpoints$"}, effect=effect, times=2)
    answers = [cloud.http.post(create_url(cloud, endpoint_id), json={"displayName": "E"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [code, code, 200]
    assert answers[0].json()["error"]["status"] == status
    assert answers[0].headers.get("retry-after") == ("1" if "retry_after_s" in effect else None)


def test_a_connection_dropped_before_the_work_leaves_nothing_behind(cloud, faults):
    endpoint_id = cloud.new_id()
    faults(match={"path": "/endpoints$"}, effect={"drop": "before"})

    with pytest.raises(httpx.TransportError):
        cloud.http.post(create_url(cloud, endpoint_id), json={"displayName": "E"})

    assert cloud.refusal("GET", f"/v1/{cloud.parent}/endpoints/{endpoint_id}")["status"] == "NOT_FOUND"


def test_a_connection_dropped_after_the_work_leaves_it_done(cloud, faults):
    endpoint_id = cloud.new_id()
    faults(match={"path": "/endpoints$"}, effect={"drop": "after"})

    with pytest.raises(httpx.TransportError):
        cloud.http.post(create_url(cloud, endpoint_id), json={"displayName": "E"})

    time.sleep(0.3)
    assert cloud.call("GET", f"/v1/{cloud.parent}/endpoints/{endpoint_id}")["displayName"] == "E"
    assert [one["status"] for one in creates(cloud, endpoint_id)] == [0]


def test_a_request_is_delayed(cloud, faults):
    faults(match={"method": "GET", "path": "/endpoints$"}, effect={"delay_s": 0.4})
    began = time.monotonic()

    cloud.call("GET", f"/v1/{cloud.parent}/endpoints")

    assert time.monotonic() - began >= 0.4


def test_a_held_request_goes_on_when_its_fault_is_deleted(cloud, faults):
    fault = faults(match={"method": "GET", "path": "/endpoints$"}, effect={"hold": True})
    with pytest.raises(httpx.ReadTimeout):
        cloud.http.get(f"/v1/{cloud.parent}/endpoints", timeout=0.5)

    cloud.call("DELETE", f"/localcloud/faults/{fault}")

    cloud.call("GET", f"/v1/{cloud.parent}/endpoints")


@pytest.mark.parametrize(("preset", "words"), [("quota", "CustomModelServingA100GPUs"), ("stockout", "stockout")])
def test_a_deployment_fails_at_the_stage_that_was_asked_for_and_can_be_tried_again(cloud, faults, preset, words):
    endpoint, model = cloud.endpoint(), cloud.model()
    faults(match={"operation": "deployModel", "stage": "CREATING_SERVING_CLUSTER"}, effect={"preset": preset})

    failed = cloud.wait(cloud.start_deploy(endpoint, model, id="5"))

    assert (failed["error"]["code"], words in failed["error"]["message"]) == (8, True)
    assert failed["metadata"]["deploymentStage"] == "FAILED_TO_DEPLOY"
    assert "deployedModels" not in cloud.call("GET", f"/v1/{endpoint}")
    assert cloud.deploy(endpoint, model, id="5")["id"] == "5"


def test_an_operation_fails_or_never_ends_as_asked(cloud, faults):
    faults(match={"operation": "createEndpoint"}, effect={"preset": "internal"})
    fault = None
    failed = cloud.operation("POST", f"/v1/{cloud.parent}/endpoints", {"displayName": "E"})
    assert failed["error"]["code"] == 13

    fault = faults(match={"operation": "createEndpoint"}, effect={"hold": True})
    name = cloud.call("POST", f"/v1/{cloud.parent}/endpoints", {"displayName": "E"})["name"]
    assert cloud.call("POST", f"/v1/{name}:wait", {"timeout": "0.3s"})["done"] is False
    cloud.call("DELETE", f"/localcloud/faults/{fault}")
    assert "response" in cloud.wait(name)


def test_a_held_operation_can_be_cancelled(cloud, faults):
    faults(match={"operation": "createEndpoint"}, effect={"hold": True})
    name = cloud.call("POST", f"/v1/{cloud.parent}/endpoints", {"displayName": "E"})["name"]

    cloud.call("POST", f"/v1/{name}:cancel")

    assert cloud.wait(name)["error"]["code"] == 1


def test_a_container_exits_as_asked_with_the_log_that_was_asked_for(cloud, faults):
    endpoint, model = cloud.endpoint(), cloud.model()
    faults(
        match={"container": f"/{endpoint.rsplit('/', 1)[1]}/"},
        effect={"exit_code": 137, "log": "torch.OutOfMemoryError: CUDA out of memory"},
        times=None,
    )

    failed = cloud.wait(cloud.start_deploy(endpoint, model))

    assert "exited unexpectedly" in failed["error"]["message"]
    assert "it exited with 137" in failed["error"]["message"]
    log = cloud.http.get(failed["error"]["message"].rpartition("logs can be found at ")[2]).text
    assert "CUDA out of memory" in log


def test_a_slow_container_becomes_ready_late(cloud, faults):
    endpoint, model = cloud.endpoint(), cloud.model()
    faults(match={"container": f"/{endpoint.rsplit('/', 1)[1]}/"}, effect={"delay_s": 0.8})
    began = time.monotonic()

    cloud.deploy(endpoint, model)

    assert time.monotonic() - began > 0.8


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"match": {}, "effect": {}}, "say one of"),
        ({"match": {"path": "("}, "effect": {}}, "no regular expression"),
        ({"match": {"path": "x"}, "effect": {"preset": "nope"}}, "quota"),
        ({"match": {"path": "x"}, "effect": {"exit_code": 1}}, "containers take"),
        ({"match": {"path": "x"}, "effect": {}, "often": 3}, "often"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_what_does(cloud, fault, words):
    error = cloud.refusal("POST", "/localcloud/faults", fault)

    assert (error["status"], words in error["message"]) == ("INVALID_ARGUMENT", True)
