"""States to Google's documents and back: what Google omits, spells otherwise or fills in is no difference."""

import json

import pytest

from provider.api import Api, Settings
from provider.deployed_model.dedicated_resources import resources_from_api, resources_to_api
from provider.image_build.builds import BuildRequest, Builds
from provider.model.document import seen
from provider.model.resource import container_spec
from tfplugin.resource import PluginError

PLACE = "projects/flan/locations/europe-west4"
PROBE = {"period_seconds": 10, "timeout_seconds": None, "failure_threshold": 60, "initial_delay_seconds": None}
SPEC = container_spec.BLOCK.body.empty() | {
    "image_uri": "image@sha256:0",
    "args": ["python", "-m", "serving"],
    "ports": [7080],
    "predict_route": "/predict",
    "health_route": "/health",
    "deployment_timeout": "7200s",
    "shared_memory_size_mb": 1024,
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
    "startup_probe": [PROBE | {"http_get": [{"path": "/health", "port": None}], "exec": []}],
    "liveness_probe": [PROBE | {"http_get": [], "exec": [{"command": ["true"]}]}],
}


def test_a_container_becomes_googles_document():
    assert container_spec.to_api(SPEC) == {
        "imageUri": "image@sha256:0",
        "args": ["python", "-m", "serving"],
        "ports": [{"containerPort": 7080}],
        "predictRoute": "/predict",
        "healthRoute": "/health",
        "deploymentTimeout": "7200s",
        "sharedMemorySizeMb": "1024",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
        "startupProbe": {"periodSeconds": 10, "failureThreshold": 60, "httpGet": {"path": "/health", "port": 7080}},
        "livenessProbe": {"periodSeconds": 10, "failureThreshold": 60, "exec": {"command": ["true"]}},
    }


def test_a_container_comes_back_as_it_went():
    assert container_spec.from_api(container_spec.to_api(SPEC)) == SPEC


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


def test_absent_and_empty_are_the_same_in_a_model():
    fields = ("display_name", "description", "version_description", "labels", "version_aliases", "create_time")
    state = dict.fromkeys(fields) | {
        "id": "m",
        "description": "",
        "labels": {},
        "version_id": "1",
        "version_name": "m@1",
    }
    found = {"displayName": "Flan", "versionId": 1, "versionAliases": ["default"]}

    assert seen(found, state) == state | {"display_name": "Flan"}


def test_a_new_alias_by_hand_is_seen_and_the_order_is_ours():
    state = dict.fromkeys(("display_name", "description", "version_description", "labels", "create_time"))
    state |= {"id": "m", "version_id": "1", "version_aliases": ["live", "blue"]}
    found = {"versionAliases": ["default", "blue", "live", "by-hand"]}

    assert seen(found, state)["version_aliases"] == ["live", "blue", "by-hand"]


@pytest.fixture
def builds(script):
    import threading

    api = Api(Settings(project="flan", region="europe-west4", api_endpoint=script.url, access_token="t"))
    return Builds(api, threading.Event(), "flan", "europe-west4")


def request(**fields):
    values = {"trigger": f"{PLACE}/triggers/7", "substitutions": {"_TAG": "t"}, "content_hash": "0" * 64}
    return BuildRequest(**values, **({"revision": None, "archive": None, "bucket": None} | fields))


def test_a_trigger_runs_at_the_commit_on_its_regional_path(builds, script):
    script.answers = [(200, {"metadata": {"build": {"id": "b1"}}})]

    assert builds.start(request(revision="abc"))["id"] == "b1"
    assert script.requests == [f"POST /v1/{PLACE}/triggers/7:run"]
    source = {"commitSha": "abc", "substitutions": {"_TAG": "t"}}
    assert json.loads(script.calls[0][2]) == {"projectId": "flan", "triggerId": "7", "source": source}


def test_an_uploaded_archive_is_built_as_the_trigger_says(builds, script, tmp_path):
    (tmp_path / "source.tar.gz").write_bytes(b"archive")
    trigger = {"build": {"steps": [{"name": "s"}], "timeout": "7200s"}, "substitutions": {"_TAG": "manual", "_W": "1"}}
    script.answers = [
        (200, trigger | {"serviceAccount": "projects/flan/serviceAccounts/build@x"}),
        (404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "no object"}}),
        (200, {}),
        (200, {"metadata": {"build": {"id": "b2"}}}),
    ]

    assert builds.start(request(archive=tmp_path / "source.tar.gz", bucket="b"))["id"] == "b2"
    name = f"source/{'0' * 64}.tar.gz"
    upload, submit = script.calls[2], json.loads(script.calls[3][2])
    assert upload[1] == f"/upload/storage/v1/b/b/o?uploadType=media&name={name.replace('/', '%2F')}"
    assert (upload[2], upload[3]["content-type"]) == (b"archive", "application/gzip")
    assert submit["source"] == {"storageSource": {"bucket": "b", "object": name}}
    assert submit["substitutions"] == {"_TAG": "t", "_W": "1"}
    assert submit["timeout"] == "7200s"
    assert submit["serviceAccount"] == "projects/flan/serviceAccounts/build@x"


def test_a_trigger_that_builds_from_a_file_cannot_take_an_archive(builds, script, tmp_path):
    script.answers = [(200, {"filename": "cloudbuild.yaml"})]

    with pytest.raises(PluginError, match="no inline build"):
        builds.start(request(archive=tmp_path / "a", bucket="b"))
