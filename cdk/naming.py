"""Names of what the stacks make, for those who look for it without synthesizing: the doctor, the receipt.

The stacks take the names from here, so that the two cannot differ. Imports no cdktf.
"""

from __future__ import annotations

from cdk.config import DeploymentConfig

SERVING_IMAGE, UI_IMAGE, TRAINING_IMAGE = "flan-t5-serving", "flan-ui", "flan-t5-training"
# The provider tags an image with this much of its content hash; the label leads from a model to its image.
TAG_LENGTH = 16
APIS = (
    "aiplatform",
    "artifactregistry",
    "cloudbuild",
    "cloudresourcemanager",  # Terraform's grants on the project
    "containeranalysis",  # where builds put their provenance
    "iam",
    "logging",
    "monitoring",
    "run",
    "serviceusage",
    "storage",
)


def repository_id(config: DeploymentConfig) -> str:
    return f"{config.prefix}-images"


def bucket_name(config: DeploymentConfig, noun: str) -> str:
    """Bucket names are shared by everybody, so the project's name goes in."""
    return f"{config.google.project}-{config.prefix}-{noun}"


def tuned_model_id(config: DeploymentConfig) -> str:
    """The model whose versions come of fine-tuning; the deployment's own model stays as it is."""
    return f"{config.model.id[:57]}-tuned"


def page_name(config: DeploymentConfig) -> str:
    return f"{config.prefix}-ui"
