"""The `dedicated_resources` block: its checks, and Google's `DedicatedResources` both ways.

Source: google.cloud.aiplatform.v1.DedicatedResources and MachineSpec.
"""

from __future__ import annotations

import re
from typing import Any

from provider.api import JsonObject
from provider.limits import (
    account_problems,
    display_name_problems,
    is_whole,
    number_problems,
    pair_problems,
    refused,
)
from provider.machine_spec import machine_problems
from provider.names import location_of
from tfplugin.planning import Path
from tfplugin.resource import Problem
from tfplugin.values import State

_DEPLOYED_ID = re.compile(r"^\d{1,20}$")  # Google's own are longer than those that a caller may choose

RESERVATIONS = ("NO_RESERVATION", "ANY_RESERVATION", "SPECIFIC_RESERVATION")
METRICS = "aiplatform.googleapis.com/prediction/online/"
PERCENTS = (f"{METRICS}cpu/utilization", f"{METRICS}accelerator/duty_cycle")


def problems(config: State) -> list[Problem]:
    """What Google would refuse once it has begun to deploy."""
    found = display_name_problems(("display_name",), config["display_name"])
    found += account_problems(("service_account",), config["service_account"])
    found += number_problems(("traffic_percent",), config["traffic_percent"], least=0, most=100)
    number = config["deployed_model_id"]
    if isinstance(number, str) and not _DEPLOYED_ID.match(number):
        found.append(refused(("deployed_model_id",), number, "1 to 10 digits"))
    found += _place_problems(config["endpoint"], config["model"])
    blocks: Any = config["dedicated_resources"]
    for index, resources in enumerate(blocks if isinstance(blocks, list) else ()):
        at = ("dedicated_resources", index)
        found += _replica_problems(at, resources)
        for number, machine in enumerate(_bodies(resources["machine_spec"])):
            found += machine_problems((*at, "machine_spec", number), machine)
            found += _reservation_problems((*at, "machine_spec", number), machine)
        found += _metric_problems(at, resources)
    return found


def _bodies(blocks: Any) -> list[State]:
    return blocks if isinstance(blocks, list) else []


def _place_problems(endpoint: Any, model: Any) -> list[Problem]:
    """Both names are well-formed when they are known: `names` has looked."""
    if not isinstance(endpoint, str) or not isinstance(model, str):
        return []
    place = location_of(model)
    return pair_problems(("model",), model, place, what="the endpoint is", other=location_of(endpoint))


def _replica_problems(at: Path, resources: State) -> list[Problem]:
    least, most, required = (resources[f"{name}_replica_count"] for name in ("min", "max", "required"))
    if isinstance(least, int | float) and not (is_whole(least) and least >= 1):
        allowed = "a whole number, 1 or more"
        return [refused((*at, "min_replica_count"), least, allowed, "Scale to zero is not in this API version.")]
    found = number_problems((*at, "max_replica_count"), most, least=1)
    found += number_problems((*at, "required_replica_count"), required, least=1)
    if found or not isinstance(least, int | float):
        return found
    if isinstance(most, int | float) and least > most:
        found.append(refused((*at, "min_replica_count"), least, f"at most max_replica_count ({most:g})"))
    if isinstance(required, int | float) and required > least:
        found.append(refused((*at, "required_replica_count"), required, f"at most min_replica_count ({least:g})"))
    return found


def _reservation_problems(at: Path, machine: State) -> list[Problem]:
    found: list[Problem] = []
    for index, affinity in enumerate(_bodies(machine["reservation_affinity"])):
        where = (*at, "reservation_affinity", index)
        kind = affinity["reservation_affinity_type"]
        if isinstance(kind, str) and kind not in RESERVATIONS:
            found.append(refused((*where, "reservation_affinity_type"), kind, ", ".join(RESERVATIONS)))
        for name in ("key", "values"):
            if kind == RESERVATIONS[2] and affinity[name] is None:
                allowed = "compute.googleapis.com/reservation-name" if name == "key" else "the reservations' full names"
                found.append(refused((*where, name), None, f"{allowed} with {kind}"))
    return found


def _metric_problems(at: Path, resources: State) -> list[Problem]:
    found: list[Problem] = []
    accelerators = [machine["accelerator_type"] for machine in _bodies(resources["machine_spec"])]
    for index, metric in enumerate(_bodies(resources["autoscaling_metric_specs"])):
        where = (*at, "autoscaling_metric_specs", index)
        name, target = metric["metric_name"], metric["target"]
        if isinstance(name, str) and "/" not in name:
            allowed = f"a metric's whole name, such as {PERCENTS[0]}"
            found.append(refused((*where, "metric_name"), name, allowed))
        if name == PERCENTS[1] and accelerators == [None]:
            found.append(refused((*where, "metric_name"), name, "a metric that a machine without accelerator has"))
        found += number_problems((*where, "target"), target, least=1, most=100 if name in PERCENTS else None)
    return found


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
    if held.get("required_replica_count") is None and required == int(body.get("minReplicaCount", 0)):
        required = None  # Google's own default
    spot = bool(body.get("spot", False))
    return {
        "min_replica_count": int(body.get("minReplicaCount", 0)),
        "max_replica_count": int(body.get("maxReplicaCount", 0)),
        "required_replica_count": required,
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
