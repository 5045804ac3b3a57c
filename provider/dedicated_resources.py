"""The `dedicated_resources` block: its checks, and Google's `DedicatedResources` both ways.

Source: google.cloud.aiplatform.v1.DedicatedResources and MachineSpec.
"""

from __future__ import annotations

from typing import Any

from provider.api import JsonObject
from tfplugin.resource import Problem
from tfplugin.values import State

# The accelerator that a machine type has built in: any other pairing is refused by Google, hours later.
BUILT_IN = {
    "a2-highgpu": "NVIDIA_TESLA_A100",
    "a2-megagpu": "NVIDIA_TESLA_A100",
    "a2-ultragpu": "NVIDIA_A100_80GB",
    "a3-highgpu": "NVIDIA_H100_80GB",
    "a3-megagpu": "NVIDIA_H100_MEGA_80GB",
    "g2-standard": "NVIDIA_L4",
}


def problems(config: State) -> list[Problem]:
    """What Google would refuse once it has begun to deploy."""
    found: list[Problem] = []
    percent, number = config["traffic_percent"], config["deployed_model_id"]
    if isinstance(percent, int | float) and not (0 <= percent <= 100 and percent == int(percent)):
        found.append(_problem("traffic_percent", percent, "a whole number from 0 to 100"))
    if isinstance(number, str) and not (number.isdigit() and len(number) <= 10):
        found.append(_problem("deployed_model_id", number, "1 to 10 digits"))
    blocks: Any = config["dedicated_resources"]
    for resources in blocks if isinstance(blocks, list) else ():
        found += _replica_problems(resources)
        for machine in resources["machine_spec"] if isinstance(resources["machine_spec"], list) else ():
            found += _machine_problems(machine)
    return found


def _replica_problems(resources: State) -> list[Problem]:
    least, most = resources["min_replica_count"], resources["max_replica_count"]
    if isinstance(least, int) and least < 1:
        return [_problem("min_replica_count", least, "1 or more (scale to zero is not in this API version)")]
    if isinstance(least, int) and isinstance(most, int) and least > most:
        return [_problem("min_replica_count", least, f"at most max_replica_count ({most})")]
    return []


def _machine_problems(machine: State) -> list[Problem]:
    kind, accelerator = machine["machine_type"], machine["accelerator_type"]
    if not isinstance(kind, str):
        return []
    wanted = BUILT_IN.get(kind.rpartition("-")[0])
    if wanted is not None and isinstance(accelerator, str) and accelerator != wanted:
        return [_problem("accelerator_type", accelerator, f"{wanted}, which {kind} has built in")]
    if wanted is not None and accelerator is None:
        return [_problem("accelerator_type", None, f"{wanted}, which {kind} has built in: it must be named")]
    return []


def _problem(name: str, got: Any, allowed: str) -> Problem:
    return Problem(f"{name} is not allowed", f"Got {got!r}; allowed is {allowed}.")


def resources_to_api(state: State) -> JsonObject:
    resources = state["dedicated_resources"][0]
    machine = resources["machine_spec"][0]
    spec: JsonObject = {"machineType": machine["machine_type"]}
    if machine["accelerator_type"]:
        spec |= {"acceleratorType": machine["accelerator_type"], "acceleratorCount": _count(machine)}
    for affinity in machine["reservation_affinity"] or ():
        spec["reservationAffinity"] = {
            "reservationAffinityType": affinity["reservation_affinity_type"],
            **({"key": affinity["key"]} if affinity["key"] else {}),
            **({"values": affinity["values"]} if affinity["values"] else {}),
        }
    body: JsonObject = {
        "machineSpec": spec,
        "minReplicaCount": int(resources["min_replica_count"]),
        "maxReplicaCount": int(resources["max_replica_count"]),
    }
    if resources["required_replica_count"] is not None:
        body["requiredReplicaCount"] = int(resources["required_replica_count"])
    if resources["spot"]:
        body["spot"] = True
    if resources["autoscaling_metric_specs"]:
        body["autoscalingMetricSpecs"] = [
            {"metricName": one["metric_name"], "target": int(one["target"])}
            for one in resources["autoscaling_metric_specs"]
        ]
    return body


def _count(machine: State) -> int:
    return int(machine["accelerator_count"] or 1)


def resources_from_api(body: JsonObject, state: State) -> State:
    """The block as Google shows it. Absent, zero and false are the same there; the state's spelling is kept."""
    held = (state["dedicated_resources"] or [{}])[0]
    held_machine = (held.get("machine_spec") or [{}])[0]
    spec = body.get("machineSpec", {})
    count = int(spec.get("acceleratorCount", 0)) or None
    if held_machine.get("accelerator_count") is None and count == 1:
        count = None
    machine: State = {
        "machine_type": spec.get("machineType"),
        "accelerator_type": _accelerator(spec),
        "accelerator_count": count,
        "reservation_affinity": _affinity(spec),
    }
    required = int(body.get("requiredReplicaCount", 0)) or None
    spot = bool(body.get("spot", False))
    return {
        "min_replica_count": int(body.get("minReplicaCount", 0)),
        "max_replica_count": int(body.get("maxReplicaCount", 0)),
        "required_replica_count": required if held.get("required_replica_count") is not None else None,
        "spot": spot if spot or held.get("spot") is not None else None,
        "machine_spec": [machine],
        "autoscaling_metric_specs": [
            {"metric_name": one["metricName"], "target": int(one.get("target", 0))}
            for one in body.get("autoscalingMetricSpecs", [])
        ],
    }


def _accelerator(spec: JsonObject) -> str | None:
    kind = spec.get("acceleratorType")
    return None if kind in (None, 0, "ACCELERATOR_TYPE_UNSPECIFIED") else str(kind)


def _affinity(spec: JsonObject) -> list[State]:
    affinity = spec.get("reservationAffinity")
    if not affinity or affinity.get("reservationAffinityType") in (None, "TYPE_UNSPECIFIED"):
        return []
    return [
        {
            "reservation_affinity_type": affinity["reservationAffinityType"],
            "key": affinity.get("key"),
            "values": affinity.get("values"),
        }
    ]
