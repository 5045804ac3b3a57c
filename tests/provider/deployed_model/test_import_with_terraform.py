"""What was made by hand is taken over: Terraform writes the configuration, and the plan is empty."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"


def taken_over(folder, **ids):
    """Imports by `import` blocks, with the configuration that Terraform prints; what the apply said."""
    folder.write()
    blocks = [{"to": f"vertex_{kind}.this", "id": identifier} for kind, identifier in ids.items()]
    (folder.folder / "import.tf.json").write_text(json.dumps({"import": blocks}))
    folder.run("plan", "-input=false", "-generate-config-out=generated.tf")
    said = folder.apply()
    (folder.folder / "import.tf.json").unlink()
    return said


@pytest.fixture
def by_hand(cloud, new_endpoint):
    """A model and its deployment, with ids of Google's choice and no labels."""
    model = cloud.version("handmade", "1")
    body = {
        "deployedModel": {
            "model": model,
            "displayName": "by hand",
            "dedicatedResources": {
                "machineSpec": {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1},
                "minReplicaCount": 1,
                "maxReplicaCount": 2,
                "autoscalingMetricSpecs": [
                    {"metricName": "aiplatform.googleapis.com/prediction/online/cpu/utilization", "target": 70}
                ],
            },
            "enableAccessLogging": True,
        },
        "trafficSplit": {"0": 100},
    }
    cloud.done("POST", f"/v1/{new_endpoint}:deployModel", body)
    (deployed,) = cloud.deployed_to(new_endpoint)
    return model, f"{new_endpoint}/deployedModels/{deployed['id']}"


# What the demo's own notebook does: upload, deploy, nothing more said than it must.
SDK = """
import json, sys
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

url, image = sys.argv[1:]
aiplatform.init(
    project="flan", location="europe-west4", api_endpoint=url, api_transport="rest", credentials=AnonymousCredentials()
)
model = aiplatform.Model.upload(
    display_name="flan-t5-by-sdk",
    serving_container_image_uri=image,
    serving_container_predict_route="/predict",
    serving_container_health_route="/health",
    serving_container_ports=[7080],
    serving_container_environment_variables={"GREETING": "hello"},
)
endpoint = model.deploy(machine_type="n1-standard-4", accelerator_type="NVIDIA_TESLA_T4", accelerator_count=1)
(deployed,) = endpoint.list_models()
print(json.dumps([model.resource_name, endpoint.resource_name, deployed.id]))
"""


@pytest.fixture
def by_sdk(cloud):
    """The same as Google's own Python client makes them, by `Model.upload` and `model.deploy`."""
    command = [sys.executable, "-W", "ignore", "-c", SDK, cloud.url, cloud.image("1")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    model, endpoint, number = json.loads(done.stdout.splitlines()[-1])
    model, endpoint = (name.replace("projects/123456789012", "projects/flan") for name in (model, endpoint))
    yield model, f"{endpoint}/deployedModels/{number}"
    cloud.done("POST", f"/v1/{endpoint}:undeployModel", {"deployedModelId": number})


def test_what_the_python_client_deployed_plans_nothing_with_the_configuration_that_terraform_prints(workspace, by_sdk):
    model, deployed = by_sdk
    folder = workspace("taken-over-from-sdk")
    said = taken_over(folder, model=model, endpoint_deployed_model=deployed)

    assert "2 imported, 0 added, 0 changed, 0 destroyed" in said
    assert folder.is_unchanged()
    state = folder.state()
    assert state["model"]["display_name"] == "flan-t5-by-sdk"
    assert state["model"]["container_spec"][0]["env"] == [{"name": "GREETING", "value": "hello"}]
    assert state["endpoint_deployed_model"]["traffic_percent"] == 100


def test_what_was_deployed_by_hand_plans_nothing_with_the_configuration_that_terraform_prints(workspace, by_hand):
    model, deployed = by_hand
    folder = workspace("taken-over")
    said = taken_over(folder, model=model, endpoint_deployed_model=deployed)

    assert re.search(r"2 imported, 0 added, 0 changed, 0 destroyed", said)
    assert folder.is_unchanged()


def test_what_was_taken_over_gets_its_next_version_like_any_other(workspace, cloud, by_hand, new_endpoint):
    _, deployed = by_hand
    folder = workspace("taken-over-rolled")
    taken_over(folder, endpoint_deployed_model=deployed)
    newer = cloud.version("handmade", "2")
    generated = folder.folder / "generated.tf"
    text = re.sub(r'(\n  model +=) "[^"]*"', rf'\1 "{newer}"', generated.read_text())
    generated.write_text(re.sub(r"\n  (deployed_model_id|drain) +=.*", "", text))
    folder.apply()

    (one,) = cloud.deployed_to(new_endpoint)
    assert f"@{one['modelVersionId']}" == newer[newer.index("@") :]
    assert one["enableAccessLogging"] is True
    assert folder.is_unchanged()
