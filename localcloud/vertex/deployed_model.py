"""What a DeployedModel may be: its resources, checked. Knows no store and no process."""

from __future__ import annotations

from localcloud.errors import invalid
from localcloud.store import Document
from localcloud.vertex.machines import checked_machine

KEPT = (
    "displayName",
    "serviceAccount",
    "enableAccessLogging",
    "disableContainerLogging",
    "disableExplanations",
    "explanationSpec",
    "privateEndpoints",
    "fasterDeploymentConfig",
    "systemLabels",
)


def checked_deployed_model(wanted: Document) -> Document:
    """The fields that are kept of what the client asked for. Raises INVALID_ARGUMENT."""
    kinds = [kind for kind in ("dedicatedResources", "automaticResources", "sharedResources") if wanted.get(kind)]
    if kinds != ["dedicatedResources"]:
        raise invalid(
            "Models with a custom container support DEDICATED_RESOURCES only: give dedicated_resources, "
            f"got {', '.join(kinds) or 'none'}."
        )
    kept = {key: wanted[key] for key in KEPT if wanted.get(key)}
    return kept | {"dedicatedResources": checked_resources(wanted["dedicatedResources"])}


def checked_resources(resources: Document) -> Document:
    machine = checked_machine(resources.get("machineSpec"), field="dedicated_resources.machine_spec")
    checked = {**resources, "machineSpec": machine}
    checked |= checked_replicas(checked)
    return {key: value for key, value in checked.items() if value}


def checked_replicas(resources: Document) -> Document:
    """minReplicaCount, maxReplicaCount and, where given, requiredReplicaCount, as ints."""
    counts = {}
    for key in ("minReplicaCount", "maxReplicaCount", "requiredReplicaCount"):
        try:
            counts[key] = int(resources.get(key) or 0)
        except (TypeError, ValueError) as error:
            raise invalid(f"{key} must be a whole number, got {resources[key]!r}.") from error
    least, most, required = counts.values()
    if least < 1:
        raise invalid(f"min_replica_count must be at least 1, got {least}. Scale to zero is not in this API version.")
    most = most or least
    if most < least:
        raise invalid(f"max_replica_count must be at least min_replica_count ({least}), got {most}.")
    if required > least:
        raise invalid(f"required_replica_count must be at most min_replica_count ({least}), got {required}.")
    return {"minReplicaCount": least, "maxReplicaCount": most, "requiredReplicaCount": required}
