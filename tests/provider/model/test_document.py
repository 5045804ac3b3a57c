"""A model's state to Google's documents and back: what Google omits, spells otherwise or fills in is no difference."""

from provider.model import container_spec
from provider.model.document import seen

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


def test_absent_and_empty_are_the_same_in_a_model():
    fields = ("display_name", "description", "version_description", "version_labels", "version_aliases", "create_time")
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
    fields = ("display_name", "description", "version_description", "labels", "version_labels", "create_time")
    state = dict.fromkeys(fields)
    state |= {"id": "m", "version_id": "1", "version_aliases": ["live", "blue"]}
    found = {"versionAliases": ["default", "blue", "live", "by-hand"]}

    assert seen(found, state)["version_aliases"] == ["live", "blue", "by-hand"]
