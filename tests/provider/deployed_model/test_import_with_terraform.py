"""What was made by hand is taken over: Terraform writes the configuration, and the plan is empty."""

from __future__ import annotations

import json
import re

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
    """A model and its deployment as Google's own Python client makes them: ids of Google's choice, no labels."""
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
