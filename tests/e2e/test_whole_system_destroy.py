"""`make destroy` of the whole system, as a user runs it: what it ends, what it leaves, and what it says of both.

Runs after test_whole_system.py, whose last test took everything down.
"""

import json
import re
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


def by_hand(system, method, path, body=None):
    data = ["-H", "Content-Type: application/json", "-d", json.dumps(body)] if body is not None else []
    answer = json.loads(system.run("curl", "-sSf", "-X", method, *data, f"{system.url}{path}"))
    if "/operations/" in answer.get("name", ""):
        done = json.loads(system.run("curl", "-sSf", "-X", "POST", f"{system.url}/v1/{answer['name']}:wait"))
        assert "error" not in done, done
        return done["response"]
    return answer


def run_until_it_goes(command):
    """The answer to a removal is an operation: the next one is refused until it has ended."""
    deadline = time.monotonic() + 90
    while subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline, command
        time.sleep(1)


def remaining(text):
    """Of a receipt as JSON, before what make itself says of the exit status."""
    return json.JSONDecoder().raw_decode(text)[0]["remaining"]


def test_the_doctor_finds_the_deployed_system_well(system):
    system.run(sys.executable, "-m", "scripts.up", timeout=400)

    text = system.run("make", "doctor", "ENV=local")

    assert re.search(r"local: \d+ ok, 0 to look at, 0 to cure", text), text


def test_everything_that_can_carry_labels_carries_the_deployments(system):
    """What a sweep by label would miss, Terraform's own state tells."""
    text = system.run("make", "receipt", "ENV=local", "ARGS=--json", check=False)
    found = {one["kind"] for one in remaining(text)}

    assert found == {"deployed model", "endpoint", "model", "Cloud Run service", "image repository", "bucket"}


def test_stopping_the_endpoint_stops_what_is_dear_and_nothing_else(system):
    text = system.run("make", "destroy", "ENV=local", "STACK=endpoint", "YES=1", timeout=200)

    assert re.search(r"Ended\s+ran for\s+USD\s+deployed model \d+ on endpoint 4242001, .*min\s+\S*\d\.\d\d", text), text
    assert "Nothing remains that costs money" in text
    assert re.search(r"The way back, `make deploy ENV=local`: about \d\d:\d\d", text), text
    left = remaining(system.run("make", "receipt", "ENV=local", "ARGS=--json", check=False))
    assert {one["kind"] for one in left} == {"model", "Cloud Run service", "image repository", "bucket"}


def test_a_destroy_that_leaves_something_made_by_hand_ends_with_1_and_says_how_it_goes(system):
    image = system.output("model", "image_uri")
    parent, labels = "projects/flan-local/locations/europe-west4", {"managed_by": "flanstack", "flanstack_env": "local"}
    endpoint = by_hand(system, "POST", f"/v1/{parent}/endpoints", {"displayName": "by hand", "labels": labels})["name"]
    # A model of its own: while the deployment's own were deployed by hand, Terraform would wait for that to end.
    container = {"imageUri": image, "predictRoute": "/predict", "healthRoute": "/health"}
    container |= {"ports": [{"containerPort": 7080}]}
    model = {"displayName": "by hand", "labels": labels, "containerSpec": container}
    by_hand(system, "POST", f"/v1/{parent}/models:upload", {"model": model, "modelId": "by-hand"})
    resources = {"machineSpec": {"machineType": "n1-standard-4"}, "minReplicaCount": 1}
    body = {"deployedModel": {"model": f"{parent}/models/by-hand", "dedicatedResources": resources}}
    by_hand(system, "POST", f"/v1/{endpoint}:deployModel", {**body, "trafficSplit": {"0": 100}})

    text = system.run("make", "destroy", "ENV=local", "YES=1", timeout=200, check=False)

    assert "REMAINS: 3" in text, text
    assert "Nothing remains" not in text
    commands = re.findall(r"^\s+(curl .*)$", text, flags=re.MULTILINE)
    assert ":undeployModel" in commands[0]
    for command in commands:
        run_until_it_goes(command)


def test_a_destroy_with_nothing_there_says_so(system):
    text = system.run("make", "destroy", "ENV=local", "YES=1", timeout=200)

    assert "Nothing was up" in text
    assert "Nothing remains that costs money" in text
