"""What belongs to a deployment: the labels that the stacks give everything that takes some, and the tags of builds."""

from __future__ import annotations

from cdk.config import DeploymentConfig

KEYS = ("flanstack_env", "managed_by")


def is_ours(config: DeploymentConfig, labels: object) -> bool:
    """Whether both of the deployment's own labels are there. What else it is labelled with may differ."""
    own = config.all_labels
    return isinstance(labels, dict) and all(labels.get(key) == own[key] for key in KEYS)


def is_our_build(config: DeploymentConfig, tags: object) -> bool:
    return isinstance(tags, list) and set(config.build_tags) <= set(tags)
