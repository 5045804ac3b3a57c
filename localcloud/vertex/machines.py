"""Machines and accelerators that Vertex AI knows: checked, and with enums by name. Knows no store and no process."""

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


def checked_machine(wanted: Document | None, *, field: str) -> Document:
    """A machineSpec with names for enums. Raises INVALID_ARGUMENT. field: how the client knows it."""
    machine = dict(wanted or {})
    if not machine.get("machineType"):
        raise invalid(f"{field}.machine_type is required.")
    _check_accelerator(machine)
    affinity = machine.get("reservationAffinity")
    if affinity:
        kind = by_name(affinity.get("reservationAffinityType"), RESERVATIONS, "reservation_affinity_type")
        machine["reservationAffinity"] = {**affinity, "reservationAffinityType": kind}
    return machine


def _check_accelerator(machine: Document) -> None:
    """Names the accelerator; a machine with built-in GPUs must have them named and counted."""
    if machine.get("acceleratorType") in (None, 0, "ACCELERATOR_TYPE_UNSPECIFIED"):
        machine.pop("acceleratorType", None)
        machine.pop("acceleratorCount", None)
    else:
        machine["acceleratorType"] = by_name(machine["acceleratorType"], ACCELERATORS, "accelerator_type")
        machine["acceleratorCount"] = int(machine.get("acceleratorCount") or 1)
    kind, given, count = machine["machineType"], machine.get("acceleratorType"), machine.get("acceleratorCount", 0)
    for prefix, accelerator in BUILT_IN.items():
        if kind.startswith(prefix) and given != accelerator:
            raise invalid(f"Machine type {kind!r} needs accelerator type {accelerator}, got {given or 'none'}.")
    built_in = re.match(r"^a[23]-\w+-(\d+)g$", kind)
    if built_in and int(built_in[1]) != count:
        raise invalid(f"Machine type {kind!r} has {built_in[1]} accelerators, got accelerator_count {count}.")


def by_name(value: object, names: dict[int, str], field: str) -> str:
    """An enum's name, whether the client sent name or number. Raises INVALID_ARGUMENT."""
    if isinstance(value, int) and value in names:
        return names[value]
    if isinstance(value, str) and value in names.values():
        return value
    raise invalid(f"Invalid {field} {value!r}: it must be one of {', '.join(names.values())}.")
