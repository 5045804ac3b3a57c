"""What a DeployedModel may be: its resources, checked and with enums by name. Knows no store and no process."""

from __future__ import annotations

import re

from localcloud.errors import invalid
from localcloud.store import Document

# Numbers as Google's gRPC-transcoding clients send them (google/cloud/aiplatform/v1/accelerator_type.proto).
ACCELERATORS = {
    1: "NVIDIA_TESLA_K80",
    2: "NVIDIA_TESLA_P100",
    3: "NVIDIA_TESLA_V100",
    4: "NVIDIA_TESLA_P4",
    5: "NVIDIA_TESLA_T4",
    6: "TPU_V2",
    7: "TPU_V3",
    8: "NVIDIA_TESLA_A100",
    9: "NVIDIA_A100_80GB",
    10: "TPU_V4_POD",
    11: "NVIDIA_L4",
    12: "TPU_V5_LITEPOD",
    13: "NVIDIA_H100_80GB",
    14: "NVIDIA_H100_MEGA_80GB",
    15: "NVIDIA_H200_141GB",
    16: "NVIDIA_B200",
    17: "NVIDIA_GB200",
    18: "NVIDIA_RTX_PRO_6000",
}
RESERVATIONS = {1: "NO_RESERVATION", 2: "ANY_RESERVATION", 3: "SPECIFIC_RESERVATION"}
# Machines with their GPU built in: any other accelerator, or another count, is refused.
BUILT_IN = {
    "a2-highgpu-": "NVIDIA_TESLA_A100",
    "a2-ultragpu-": "NVIDIA_A100_80GB",
    "a3-highgpu-": "NVIDIA_H100_80GB",
    "g2-standard-": "NVIDIA_L4",
}
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
    machine = dict(resources.get("machineSpec") or {})
    if not machine.get("machineType"):
        raise invalid("dedicated_resources.machine_spec.machine_type is required.")
    _check_accelerator(machine)
    affinity = machine.get("reservationAffinity")
    if affinity:
        kind = _by_name(affinity.get("reservationAffinityType"), RESERVATIONS, "reservation_affinity_type")
        machine["reservationAffinity"] = {**affinity, "reservationAffinityType": kind}
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


def _check_accelerator(machine: Document) -> None:
    """Names the accelerator; a machine with built-in GPUs must have them named and counted."""
    if machine.get("acceleratorType") in (None, 0, "ACCELERATOR_TYPE_UNSPECIFIED"):
        machine.pop("acceleratorType", None)
        machine.pop("acceleratorCount", None)
    else:
        machine["acceleratorType"] = _by_name(machine["acceleratorType"], ACCELERATORS, "accelerator_type")
        machine["acceleratorCount"] = int(machine.get("acceleratorCount") or 1)
    kind, given, count = machine["machineType"], machine.get("acceleratorType"), machine.get("acceleratorCount", 0)
    for prefix, accelerator in BUILT_IN.items():
        if kind.startswith(prefix) and given != accelerator:
            raise invalid(f"Machine type {kind!r} needs accelerator type {accelerator}, got {given or 'none'}.")
    built_in = re.match(r"^a[23]-\w+-(\d+)g$", kind)
    if built_in and int(built_in[1]) != count:
        raise invalid(f"Machine type {kind!r} has {built_in[1]} accelerators, got accelerator_count {count}.")


def _by_name(value: object, names: dict[int, str], field: str) -> str:
    if isinstance(value, int) and value in names:
        return names[value]
    if isinstance(value, str) and value in names.values():
        return value
    raise invalid(f"Invalid {field} {value!r}: it must be one of {', '.join(names.values())}.")
