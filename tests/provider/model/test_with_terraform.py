"""`vertex_model` through its life: real Terraform, the provider, a real local cloud."""

from __future__ import annotations

import re
import signal
import time

import pytest

from provider.model.aliases import aliases_of

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
FLAN = f"{PARENT}/models/flan-t5"


def model(image, *, spec=None, **fields):
    probe = {"period_seconds": 1, "failure_threshold": 30, "http_get": [{"path": "/health"}]}
    container = {"image_uri": image, "ports": [7080], "predict_route": "/predict", "health_route": "/health"}
    container |= {"env": [{"name": "GREETING", "value": "hello"}], "deployment_timeout": "7200s"}
    container |= {"startup_probe": [probe], **(spec or {})}
    body = {"model_id": "flan-t5", "display_name": "Flan", "labels": {"team": "ml"}, "version_aliases": ["live"]}
    return {**body, "container_spec": [container], **fields}


@pytest.fixture(scope="module")
def image(cloud):
    return cloud.image("1")


@pytest.fixture(scope="module")
def flan(workspace, image):
    """A folder in which the model was applied; each test leaves it applied."""
    folder = workspace("model").write(model=model(image, description="T5"))
    folder.apply()
    return folder


def test_create_uploads_the_model_and_knows_its_names(flan):
    state = flan.state()["model"]

    assert state["id"] == state["name"] == FLAN
    assert state["version_name"] == f"{FLAN}@1"
    assert state["versions"] == ["1"]
    assert flan.phases() == ["UPLOADING", "UPLOADED"]


def test_a_plan_of_an_unchanged_world_is_empty(flan):
    assert flan.is_unchanged()


def test_names_known_before_the_upload_are_in_the_plan(workspace, image):
    change = workspace("model-planned").write(model=model(image, model_id="planned")).plan()["model"]

    assert change["after"]["id"] == f"{PARENT}/models/planned"
    assert change["after_unknown"]["version_name"] is True


def test_names_labels_and_aliases_change_in_place_without_a_new_version(flan, cloud, image):
    changed = {"display_name": "Flan 2", "labels": {}, "version_aliases": ["next"], "version_description": "second"}
    flan.write(model=model(image, **changed))
    flan.apply()

    seen = cloud.call("GET", f"/v1/{FLAN}")
    assert (seen["displayName"], seen.get("labels"), seen.get("description")) == ("Flan 2", None, None)
    assert aliases_of(seen) == ["default", "next"]
    assert seen["versionDescription"] == "second"
    assert flan.state()["model"]["versions"] == ["1"]
    assert flan.is_unchanged()


def test_a_new_container_is_a_new_version_in_place(flan, cloud):
    flan.write(model=model(cloud.image("2")))

    change = flan.plan()["model"]
    assert change["actions"] == ["update"]
    assert {"version_id", "version_name", "create_time"} <= change["after_unknown"].keys()
    flan.run("apply", "plan")
    assert flan.state()["model"]["versions"] == ["1", "2"]
    assert cloud.call("GET", f"/v1/{FLAN}@live")["versionId"] == "2"
    assert flan.is_unchanged()


def test_what_was_changed_by_hand_is_drift(flan, cloud):
    cloud.call("PATCH", f"/v1/{FLAN}?updateMask=displayName,labels", {"displayName": "By hand", "labels": {"by": "me"}})

    change = flan.plan()["model"]
    assert (change["before"]["display_name"], change["after"]["display_name"]) == ("By hand", "Flan")
    assert change["before"]["labels"] == {"by": "me"}
    flan.run("apply", "plan")
    assert flan.is_unchanged()


def test_a_version_deleted_by_hand_is_uploaded_again_in_place(flan, cloud):
    cloud.done("DELETE", f"/v1/{FLAN}@2:deleteVersion")

    assert "0 added, 1 changed, 0 destroyed" in flan.apply()
    assert flan.state()["model"]["versions"] == ["1", "3"]
    assert flan.is_unchanged()


def test_a_failed_upload_of_a_new_version_leaves_the_state_as_it_was(flan, cloud, faults):
    before = flan.state()["model"]
    faults({"operation": "uploadModel"}, {"preset": "internal"})
    flan.write(model=model(cloud.image("4")))

    said = flan.refused("apply", "-auto-approve")
    assert "vertex_model Flan failed after 00:0" in said
    assert "Internal error encountered." in said
    assert flan.state()["model"] == before
    flan.apply()
    assert flan.state()["model"]["versions"] == ["1", "3", "4"]


def test_an_interrupted_upload_is_taken_up_again_and_not_begun_twice(workspace, cloud, image, faults):
    folder = workspace("model-stopped").write(model=model(image, model_id="stopped"))
    faults({"operation": "uploadModel"}, {"hold": True})
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("UPLOADING")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)

    assert process.returncode == 1, output
    left = folder.state()["model"]
    assert (left["id"], left["version_id"], left["tainted"]) == (f"{PARENT}/models/stopped", None, False)
    assert left["operation"]
    cloud.call("DELETE", "/localcloud/faults")
    folder.apply()
    assert folder.state()["model"]["version_name"] == f"{PARENT}/models/stopped@1"
    assert len(cloud.call("GET", f"/v1/{PARENT}/models/stopped:listVersions")["models"]) == 1


def test_an_upload_whose_answer_was_lost_is_adopted_and_not_done_twice(workspace, cloud, image, faults):
    folder = workspace("model-lost").write(model=model(image, model_id="lost"))
    faults({"method": "POST", "path": "models:upload"}, {"drop": "after"})
    assert "The API cannot be reached" in folder.refused("apply", "-auto-approve")
    folder.apply()
    faults({"method": "POST", "path": "models:upload"}, {"drop": "after"})
    folder.write(model=model(cloud.image("2"), model_id="lost"))
    folder.refused("apply", "-auto-approve")
    folder.apply()

    assert len(cloud.call("GET", f"/v1/{PARENT}/models/lost:listVersions")["models"]) == 2
    assert folder.state()["model"]["versions"] == ["1", "2"]
    assert folder.is_unchanged()


def uploads(cloud, model_id):
    """The operations that run on a model."""
    found = cloud.call("GET", f"/v1/{PARENT}/models/{model_id}/operations").get("operations", [])
    return [one for one in found if not one.get("done")]


@pytest.mark.parametrize("has_version", [False, True])
def test_an_upload_that_was_killed_is_joined_and_not_done_twice(workspace, cloud, image, faults, has_version):
    model_id = f"killed-{has_version}".lower()
    folder = workspace(model_id).write(model=model(image, model_id=model_id))
    if has_version:
        folder.apply()
        folder.write(model=model(cloud.image("2"), model_id=model_id))
        folder.progress_file.unlink()
    fault = faults({"operation": "uploadModel"}, {"hold": True})
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("UPLOADING")
    deadline = time.monotonic() + 10
    while not uploads(cloud, model_id) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=20)
    (folder.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)

    again = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("JOINED")
    cloud.call("DELETE", f"/localcloud/faults/{fault}")
    output, _ = again.communicate(timeout=30)
    assert again.returncode == 0, output
    versions = cloud.call("GET", f"/v1/{PARENT}/models/{model_id}:listVersions")["models"]
    assert len(versions) == (2 if has_version else 1)
    assert folder.is_unchanged()


def test_the_upload_of_a_later_version_has_the_time_of_an_update(workspace, cloud, image, faults):
    folder = workspace("model-late").write(model=model(image, model_id="late", timeouts={"update": "1s"}))
    folder.apply()
    faults({"operation": "uploadModel"}, {"hold": True})
    folder.write(model=model(cloud.image("2"), model_id="late", timeouts={"update": "1s"}))

    assert "takes longer than 00:01" in folder.refused("apply", "-auto-approve")
    cloud.call("DELETE", "/localcloud/faults")
    folder.apply()
    assert folder.state()["model"]["versions"] == ["1", "2"]


def test_a_model_without_an_id_has_one_that_its_name_tells(workspace, image):
    body = model(image, display_name="Flan T5 (XXL)")
    del body["model_id"]

    change = workspace("unnamed").write(model=body).plan()["model"]
    assert re.fullmatch(r"m-flan-t5-xxl-[0-9a-f]{8}", change["after"]["model_id"])


def test_an_interrupted_upload_that_is_destroyed_leaves_nothing(workspace, cloud, image, faults):
    folder = workspace("model-dropped").write(model=model(image, model_id="dropped"))
    fault = faults({"operation": "uploadModel"}, {"hold": True})
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("UPLOADING")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    destroying = folder.start("destroy", "-auto-approve")
    cloud.call("DELETE", f"/localcloud/faults/{fault}")
    output, _ = destroying.communicate(timeout=30)
    assert destroying.returncode == 0, output
    assert not cloud.exists(f"/v1/{PARENT}/models/dropped")


def test_an_imported_model_plans_nothing_with_the_same_configuration(flan, workspace, cloud):
    copy = workspace("model-imported").write(model=model(cloud.image("4")))

    copy.run("import", "vertex_model.this", f"{FLAN}@live")
    assert copy.is_unchanged()


def test_what_does_not_exist_cannot_be_imported(workspace, image):
    folder = workspace("model-nothing").write(model=model(image))

    assert "does not exist" in folder.refused("import", "vertex_model.this", f"{PARENT}/models/nothing")


def test_a_version_that_others_made_outlives_the_destroy(workspace, cloud, image):
    folder = workspace("model-shared").write(model=model(image, model_id="shared"))
    folder.apply()
    by_hand = {"displayName": "By hand", "containerSpec": {"imageUri": cloud.image("2")}}
    name = f"{PARENT}/models/shared"
    cloud.done("POST", f"/v1/{PARENT}/models:upload", {"model": by_hand, "parentModel": name})
    folder.destroy()

    assert [one["versionId"] for one in cloud.call("GET", f"/v1/{name}:listVersions")["models"]] == ["2"]


def test_destroying_waits_while_google_still_counts_the_model_as_deployed(flan, cloud, faults):
    refusal = {"status": "FAILED_PRECONDITION", "message": "The Model is deployed."}
    faults({"method": "DELETE", "path": "models/flan-t5"}, refusal, times=2)
    flan.destroy()

    assert not cloud.exists(f"/v1/{FLAN}")
    assert "WAITING" in flan.phases()


def test_a_model_deleted_by_hand_is_created_again_and_its_destroy_is_no_error(workspace, cloud, image):
    folder = workspace("model-gone").write(model=model(image, model_id="gone"))
    folder.apply()
    cloud.done("DELETE", f"/v1/{PARENT}/models/gone")

    assert folder.actions() == {"model": "create"}
    folder.run("destroy", "-auto-approve", "-refresh=false")
    assert folder.state() == {}


def test_a_read_that_is_refused_is_an_error_and_never_a_deletion(workspace, cloud, image, faults):
    folder = workspace("model-refused").write(model=model(image, model_id="refused"))
    folder.apply()
    faults({"method": "GET", "path": "models/refused"}, {"status": "PERMISSION_DENIED", "message": "no"})

    assert "The identity lacks a permission" in folder.refused("plan")
    faults({"method": "GET", "path": "models/refused"}, {"status": "UNAVAILABLE", "retry_after_s": 0}, times=2)
    assert folder.is_unchanged()
