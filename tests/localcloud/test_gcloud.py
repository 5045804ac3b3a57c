"""Google's own command line against the local cloud."""

import json
import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")


@pytest.fixture
def gcloud(cloud, tmp_path):
    services = ("AIPLATFORM", "CLOUDBUILD", "ARTIFACTREGISTRY")
    env = {
        **os.environ,
        "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_PROJECT": "flan-test",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{one}": f"{cloud.url}/" for one in services},
    }

    def run(*arguments):
        command = ["gcloud", *arguments, "--format=json"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


REGION = ("--region", "europe-west4")


def test_gcloud_lists_describes_and_predicts(gcloud, cloud, tmp_path):
    endpoint, model = cloud.endpoint(displayName="Seen by gcloud"), cloud.model()
    deployed = cloud.deploy(endpoint, model)
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"instances": ["hi"]}))

    listed = gcloud("ai", "endpoints", "list", *REGION)
    described = gcloud("ai", "endpoints", "describe", endpoint.rsplit("/", 1)[1], *REGION)
    predicted = gcloud("ai", "endpoints", "predict", endpoint.rsplit("/", 1)[1], *REGION, f"--json-request={request}")
    models = gcloud("ai", "models", "list", *REGION)

    assert isinstance(gcloud("builds", "list"), list)
    assert endpoint in [one["name"] for one in listed]
    assert (described["displayName"], described["deployedModels"][0]["id"]) == ("Seen by gcloud", deployed["id"])
    predictions = predicted["predictions"] if isinstance(predicted, dict) else predicted
    assert predictions[0]["instance"] == "hi"
    assert model.partition("@")[0] in [one["name"] for one in models]


def test_gcloud_deploys_and_undeploys(gcloud, cloud):
    endpoint, model = cloud.endpoint().rsplit("/", 1)[1], cloud.model().partition("@")[0].rsplit("/", 1)[1]

    gcloud(
        *("ai", "endpoints", "deploy-model", endpoint, *REGION, f"--model={model}", "--display-name=by gcloud"),
        *("--machine-type=n1-standard-2", "--traffic-split=0=100", "--deployed-model-id=8"),
    )
    assert cloud.predict(f"{cloud.parent}/endpoints/{endpoint}")["deployedModelId"] == "8"
    gcloud("ai", "endpoints", "undeploy-model", endpoint, *REGION, "--deployed-model-id=8")

    assert "deployedModels" not in cloud.call("GET", f"/v1/{cloud.parent}/endpoints/{endpoint}")


def test_gcloud_lists_repositories_images_and_builds(gcloud, cloud):
    cloud.operation("POST", f"/v1/{cloud.parent}/repositories?repositoryId=seen-by-gcloud", {"format": "DOCKER"})
    image = cloud.image(f"europe-west4-docker.pkg.dev/flan-test/seen-by-gcloud/page:v{cloud.new_id()}")
    step = {"name": "python:3.11", "args": ["-c", "pass"]}
    build = cloud.call("POST", f"/v1/{cloud.parent}/builds", {"steps": [step]})["metadata"]["build"]["id"]

    repositories = gcloud("artifacts", "repositories", "list", "--location=europe-west4")
    images = gcloud("artifacts", "docker", "images", "list", image.rpartition("/")[0], "--include-tags")
    builds = gcloud("builds", "list", *REGION)

    assert f"{cloud.parent}/repositories/seen-by-gcloud" in [one["name"] for one in repositories]
    (found,) = images
    assert (found["package"], found["tags"]) == (image.rpartition(":")[0], [image.rpartition(":")[2]])
    assert build in [one["id"] for one in builds]
