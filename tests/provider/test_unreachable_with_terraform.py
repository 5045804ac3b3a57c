"""An API that cannot be reached, or refuses the identity: an error for every resource, and never "deleted"."""

from __future__ import annotations

import socket

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
IMAGES = "europe-west4-docker.pkg.dev/flan/unreachable"


@pytest.fixture(scope="module")
def applied(workspace, cloud, models, deployed):
    """A folder with one of each resource that lives on."""
    endpoint = cloud.endpoint("660000001")
    cloud.call("POST", f"/v1/{PARENT}/repositories?repositoryId=unreachable", {"format": "DOCKER"})
    source = cloud.log.parent / "unreachable"
    source.mkdir(exist_ok=True)
    body = {"uri": f"{IMAGES}/image:{'a' * 16}", "folder": str(source), "config": {"cmd": ["true"]}}
    cloud.call("POST", "/localcloud/images", body)
    folder = workspace("unreachable")
    folder.write(**configuration(cloud, endpoint, models, deployed)).apply()
    yield folder, configuration(cloud, endpoint, models, deployed)
    folder.write(**configuration(cloud, endpoint, models, deployed)).destroy()


def configuration(cloud, endpoint, models, deployed):
    spec = {"image_uri": cloud.image("1"), "predict_route": "/predict", "health_route": "/health"}
    return {
        "image_build": {"image": f"{IMAGES}/image", "content_hash": "a" * 64},
        "model": {"model_id": "unreachable", "display_name": "Flan", "container_spec": [spec]},
        "endpoint_deployed_model": deployed(endpoint, models[0]),
    }


def test_an_api_that_does_not_answer_is_an_error_for_every_resource_and_the_state_stays(applied):
    folder, resources = applied
    before = folder.state()
    with socket.socket() as free:  # bound, but nobody listens
        free.bind(("127.0.0.1", 0))
        folder.write(provider={"api_endpoint": f"http://127.0.0.1:{free.getsockname()[1]}"}, **resources)
        process = folder.start("plan", "-input=false")
        said, _ = process.communicate(timeout=110)

    assert process.returncode == 1
    assert said.count("The API cannot be reached") == len(resources)
    assert "will be created" not in said
    assert folder.state() == before


@pytest.mark.parametrize(
    ("status", "cure"),
    [("UNAUTHENTICATED", "gcloud auth application-default login"), ("PERMISSION_DENIED", "lacks a permission")],
)
def test_an_identity_that_is_refused_is_an_error_for_every_resource(applied, faults, status, cure):
    folder, resources = applied
    folder.write(**resources)
    before = folder.state()
    faults(
        {"method": "GET", "path": "/v1/"}, {"status": status, "message": "Request had invalid credentials."}, times=99
    )
    said = folder.refused("plan", "-input=false")

    for kind in resources:
        assert f"with vertex_{kind}.this" in said
    assert said.count(cure) >= len(resources)
    assert "will be created" not in said
    assert folder.state() == before


def test_credentials_that_cannot_be_had_are_an_error_before_anything_is_asked(applied, tmp_path):
    folder, resources = applied
    folder.write(provider={"access_token": None}, **resources)
    nowhere = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none.json"), "HOME": str(tmp_path)}
    environment, folder.environment = folder.environment, folder.environment | nowhere
    try:
        said = folder.refused("plan", "-input=false")
    finally:
        folder.environment = environment

    assert "credentials" in said
    assert "will be created" not in said
