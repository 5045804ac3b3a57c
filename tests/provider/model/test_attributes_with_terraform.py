"""Every attribute of `vertex_model`: changed in place, in another model, by hand, and by an import."""

from __future__ import annotations

import re

import pytest

from provider.model.aliases import aliases_of

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
NAME = f"{PARENT}/models/attributes"
ELSEWHERE = f"us-central1-docker.pkg.dev/flan/images/echo@sha256:{'0' * 64}"
PATCHED = {
    "display_name": "Renamed",
    "description": "A description",
    "labels": {"team": "ml"},
    "version_labels": {"eval": "0_4"},
    "version_description": "second",
    "version_aliases": ["live", "blue"],
    "timeouts": {"update": "20m"},
}
PROBE = {"period_seconds": 2, "http_get": [{"path": "/health"}]}
CONTAINER = {
    "command": ["python"],
    "args": ["server.py", "--verbose"],
    "ports": [7080],
    "predict_route": "/answer",
    "health_route": "/ready",
    "deployment_timeout": "3600s",
    "shared_memory_size_mb": 64,
    "env": [{"name": "GREETING", "value": "hello"}],
    "startup_probe": [PROBE],
    "health_probe": [PROBE],
    "liveness_probe": [PROBE],
}


def model(image, spec=None, **fields):
    container = {"image_uri": image, "predict_route": "/predict", "health_route": "/health", **(spec or {})}
    return {"model_id": "attributes", "display_name": "Flan", "container_spec": [container], **fields}


@pytest.fixture(scope="module")
def image(cloud):
    return cloud.image("1")


@pytest.fixture(scope="module")
def flan(workspace, image):
    folder = workspace("model-attributes").write(model=model(image))
    folder.apply()
    return folder


def test_what_is_of_no_container_changes_in_place_and_uploads_nothing(flan, image):
    given = {}
    for name, value in PATCHED.items():
        given[name] = value
        assert "0 added, 1 changed, 0 destroyed" in flan.write(model=model(image, **given)).apply(), name

    assert flan.state()["model"]["versions"] == ["1"]
    assert flan.is_unchanged()


@pytest.mark.parametrize(
    ("change", "image_uri"),
    [
        ({"model_id": "another"}, None),
        ({"location": "us-central1"}, ELSEWHERE),
        ({"project": "another"}, None),
    ],
    ids=["model_id", "location", "project"],
)
def test_another_name_is_another_model(flan, image, change, image_uri):
    flan.write(model=model(image_uri or image, **change))

    assert flan.actions() == {"model": "replace"}
    flan.write(model=model(image))


def test_a_new_model_cannot_have_a_number_as_google_gives_them(flan, image):
    flan.write(model=model(image, model_id="7636902965661596750"))

    assert "numbers are Google's own choice" in flan.refused("plan", "-input=false")


def test_drift_in_every_attribute_is_shown_and_taken_back(flan, cloud, image):
    wanted = {name: value for name, value in PATCHED.items() if name != "timeouts"}
    flan.write(model=model(image, **wanted)).apply()
    by_hand = {"displayName": "By hand", "description": "by hand", "labels": {"by": "hand"}}
    cloud.call("PATCH", f"/v1/{NAME}?updateMask=displayName,description,labels", by_hand)
    of_version = {"versionDescription": "by hand", "labels": {"eval": "0_9"}}
    cloud.call("PATCH", f"/v1/{NAME}@1?updateMask=versionDescription,labels", of_version)
    cloud.call("POST", f"/v1/{NAME}@1:mergeVersionAliases", {"versionAliases": ["-live", "hand"]})

    before = flan.plan()["model"]["before"]
    assert (before["display_name"], before["description"], before["labels"]) == ("By hand", "by hand", {"by": "hand"})
    assert (before["version_description"], before["version_labels"]) == ("by hand", {"eval": "0_9"})
    assert before["version_aliases"] == ["blue", "hand"]
    flan.run("apply", "plan")
    seen = cloud.call("GET", f"/v1/{NAME}")
    assert (seen["displayName"], seen["description"]) == ("Renamed", "A description")
    assert seen["labels"] == {"team": "ml", "eval": "0_4"}
    assert aliases_of(seen) == ["default", "blue", "live"]
    assert flan.is_unchanged()


def test_another_model_under_the_same_id_is_drift_in_its_container(flan, cloud, image):
    flan.write(model=model(image)).apply()
    cloud.done("DELETE", f"/v1/{NAME}")
    spec = {"imageUri": cloud.image("2"), "predictRoute": "/predict", "healthRoute": "/health"}
    body = {"displayName": "Flan", "containerSpec": spec, "artifactUri": "gs://flan-models/other"}
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-models"})
    cloud.done("POST", f"/v1/{PARENT}/models:upload", {"model": body, "modelId": "attributes"})

    change = flan.plan()["model"]
    assert change["actions"] == ["update"]
    assert change["before"]["container_spec"][0]["image_uri"] == spec["imageUri"]
    assert change["before"]["artifact_uri"] == "gs://flan-models/other"
    flan.run("apply", "plan")
    assert cloud.call("GET", f"/v1/{NAME}@2")["containerSpec"]["imageUri"] == image
    assert flan.is_unchanged()


@pytest.mark.parametrize("name", [*CONTAINER, "artifact_uri"])
def test_every_part_of_the_container_is_a_new_version_in_place(flan, image, name):
    if name == "artifact_uri":
        flan.write(model=model(image, artifact_uri="gs://flan-models/xxl"))
    else:
        flan.write(model=model(image, {name: CONTAINER[name]}))

    said = flan.run("plan", "-input=false")
    assert "0 to add, 1 to change, 0 to destroy" in said
    assert re.search(r'version_name += ".*" -> \(known after apply\)', said), said


def test_a_new_version_with_every_part_of_a_container_plans_nothing_and_is_imported_so(flan, image, workspace):
    whole = model(image, CONTAINER, artifact_uri="gs://flan-models/xxl", description="T5")
    flan.write(model=whole)
    assert "0 added, 1 changed, 0 destroyed" in flan.apply()
    assert flan.is_unchanged()
    copy = workspace("model-attributes-imported").write(model=whole)
    copy.run("import", "vertex_model.this", NAME + "@3")

    assert copy.is_unchanged()
    assert copy.state()["model"]["versions"] == ["2", "3"]  # what was uploaded from here; the first one was not


def test_a_replacement_makes_another_model_and_deletes_what_was_made_here_of_the_old_one(flan, cloud, image):
    flan.write(model=model(image, model_id="replaced"))

    assert "1 added, 0 changed, 1 destroyed" in flan.apply()
    assert flan.state()["model"]["version_name"] == f"{PARENT}/models/replaced@1"
    assert [one["versionId"] for one in cloud.call("GET", f"/v1/{NAME}:listVersions")["models"]] == ["1"]  # another's
    assert flan.is_unchanged()
    flan.destroy()
    cloud.done("DELETE", f"/v1/{NAME}")
