"""Each example of the documentation, applied as it stands: real Terraform, the provider, a real local cloud."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e]

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "provider" / "examples"
PARENT = "projects/flan/locations/europe-west4"


def source_archive(path):
    """A source with a Dockerfile, where the example looks for it."""
    text = b'FROM python:3.11-slim\nWORKDIR /srv\nCMD ["python"]\n'
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))


def image_build(cloud, folder):
    source_archive(folder / "source.tar.gz")
    cloud.call("POST", f"/v1/{PARENT}/repositories?repositoryId=models", {"format": "DOCKER"})
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-example-source", "location": "europe-west4"})
    step = {"name": "gcr.io/cloud-builders/docker", "args": ["build", "-t", "$_IMAGE:$_TAG", "."]}
    build = {"steps": [step], "images": ["$_IMAGE:$_TAG"]}
    made = cloud.call("POST", f"/v1/{PARENT}/triggers", {"name": "example", "build": build})
    return {"trigger": f"{PARENT}/triggers/{made['id']}", "source_bucket": "flan-example-source"}


def model(cloud, folder):
    return {"image_uri": cloud.image("example")}


def uploaded(cloud, model_id):
    """A model that the example finds there; returns its name with its version."""
    spec = {"imageUri": cloud.image("example"), "predictRoute": "/predict", "healthRoute": "/health"}
    body = {"model": {"displayName": "Flan", "containerSpec": spec}, "modelId": model_id}
    made = cloud.done("POST", f"/v1/{PARENT}/models:upload", body)
    return f"{PARENT}/models/{model_id}@{made['modelVersionId']}"


def deployed_model(cloud, folder):
    return {"endpoint": cloud.endpoint("424242"), "model": uploaded(cloud, "example-deployed")}


def custom_job(cloud, folder):
    """A training image that has nothing to do."""
    (folder / "image").mkdir()
    (folder / "image" / "train.py").write_text("print('trained')\n")
    uri, config = "europe-west4-docker.pkg.dev/flan/images/example-train", {"cmd": ["python", "train.py"]}
    body = {"uri": f"{uri}:v1", "folder": str(folder / "image"), "config": config}
    digest = cloud.call("POST", "/localcloud/images", body)["digest"]
    return {"image_uri": f"{uri}@{digest}", "bucket": "flan-example-models"}


def model_data(cloud, folder):
    name, _, version = uploaded(cloud, "example-data").partition("@")
    cloud.call(
        "PATCH", f"/v1/{name}?updateMask=displayName,labels", {"displayName": "Flan-T5", "labels": {"team": "ml"}}
    )
    cloud.call("POST", f"/v1/{name}@{version}:mergeVersionAliases", {"versionAliases": ["live"]})
    return {}


def endpoint_metrics(cloud, folder):
    return {"endpoint": cloud.endpoint("434343")}


# What each example needs to be there, and the variables that name it.
GROUNDS = {
    "resources/vertex_image_build": image_build,
    "resources/vertex_model": model,
    "resources/vertex_endpoint_deployed_model": deployed_model,
    "resources/vertex_custom_job": custom_job,
    "data-sources/vertex_model": model_data,
    "data-sources/vertex_endpoint_metrics": endpoint_metrics,
}


def test_every_example_is_applied_here():
    assert {str(path.parent.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.tf")} == set(GROUNDS)


@pytest.mark.parametrize("name", GROUNDS)
def test_an_example_applies_plans_nothing_and_is_destroyed(name, workspace, cloud):
    folder = workspace(f"example-{name.rpartition('/')[2]}")
    (folder.folder / "versions.tf.json").unlink()  # the example says itself what it requires
    shutil.copy(EXAMPLES / name / "main.tf", folder.folder)
    # Where the example means Google Cloud, the test means the local one; nothing else differs.
    override = {"provider": {"vertex": {key: folder.settings[key] for key in ("api_endpoint", "access_token")}}}
    (folder.folder / "local_override.tf.json").write_text(json.dumps(override))
    variables = {"project": "flan", **GROUNDS[name](cloud, folder.folder)}
    (folder.folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    folder.run("init", "-input=false")

    said = folder.apply()
    assert "Apply complete! Resources:" in said
    outputs = json.loads(folder.run("output", "-json"))
    assert all(one["value"] for one in outputs.values())
    assert folder.is_unchanged()
    assert "Destroy complete!" in folder.destroy()
    assert folder.state() == {}
