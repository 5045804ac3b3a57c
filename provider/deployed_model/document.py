"""States of `vertex_endpoint_deployed_model` to Google's `DeployedModel`, and back.

Knows which differences need a new deployment and which are none; knows no HTTP.
Source: google.cloud.aiplatform.v1.DeployedModel; what Google omits or spells otherwise is no difference.
"""

from __future__ import annotations

from typing import Any

from provider.api import JsonObject
from provider.deployed_model.dedicated_resources import resources_from_api, resources_to_api
from provider.deployed_model.endpoint import split_of
from provider.names import same, split_model
from tfplugin.values import UNKNOWN, State

# What Google cannot change in a deployed model.
IMMUTABLE = ("model", "display_name", "service_account", "enable_access_logging")
MUTABLE = ("dedicated_resources", "disable_container_logging")
SCALING = {
    "dedicatedResources.minReplicaCount": "min_replica_count",
    "dedicatedResources.maxReplicaCount": "max_replica_count",
    "dedicatedResources.requiredReplicaCount": "required_replica_count",
    "dedicatedResources.autoscalingMetricSpecs": "autoscaling_metric_specs",
}
_NAMES = {
    "display_name": "displayName",
    "service_account": "serviceAccount",
    "enable_access_logging": "enableAccessLogging",
    "disable_container_logging": "disableContainerLogging",
}


def identity(state: State) -> list[Any]:
    """What a deployed model is, for as long as it lives; null, false and empty are the same."""
    resources = state["dedicated_resources"]
    if resources is UNKNOWN:
        return [*(_plain(state[name]) for name in IMMUTABLE), UNKNOWN]
    # A list of one: the schema sees to that.
    machines = [[_plain(one["machine_spec"]), _plain(one["spot"])] for one in resources or ()]
    return [*(_plain(state[name]) for name in IMMUTABLE), machines]


def _plain(value: Any) -> Any:
    if value is UNKNOWN:
        return value
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one is UNKNOWN or one}
    if isinstance(value, list):
        return [_plain(one) for one in value] or None
    return value or None


def to_api(state: State) -> JsonObject:
    """Without `id`."""
    body: JsonObject = {"model": state["model"], "dedicatedResources": resources_to_api(state)}
    return body | {api: state[name] for name, api in _NAMES.items() if state[name] is not UNKNOWN and state[name]}


def mutation(prior: State, planned: State) -> tuple[JsonObject, list[str]]:
    """The body of a mutateDeployedModel and its mask, for what can change in place."""
    before, after = prior["dedicated_resources"][0], planned["dedicated_resources"][0]
    mask = [path for path, name in SCALING.items() if before[name] != after[name]]
    if bool(prior["disable_container_logging"]) != bool(planned["disable_container_logging"]):
        mask.append("disableContainerLogging")
    resources = {key: value for key, value in resources_to_api(planned).items() if key != "machineSpec"}
    body = {
        "id": str(planned["deployed_model_id"]),
        "dedicatedResources": resources,
        "disableContainerLogging": bool(planned["disable_container_logging"]),
    }
    return body, mask


def seen(endpoint: JsonObject, found: JsonObject, state: State) -> State:
    """What Google shows now of a deployed model, spelled as the state spells it where both mean the same."""
    model, version = split_model(state["model"]) if state["model"] else ("", None)
    seen_model, seen_version = str(found["model"]).partition("@")[0], str(found.get("modelVersionId", version))
    unchanged = same(model, seen_model) and version == seen_version
    number = str(found["id"])
    return {
        "id": f"{state['endpoint']}/deployedModels/{number}",
        "deployed_model_id": number,
        "model": state["model"] if unchanged else f"{seen_model}@{seen_version}",
        "display_name": found.get("displayName") or state["display_name"],
        "service_account": found.get("serviceAccount") or None,
        "traffic_percent": split_of(endpoint).get(number, 0),
        "create_time": found.get("createTime", state["create_time"]),
        "dedicated_resources": [resources_from_api(found.get("dedicatedResources", {}), state)],
        "enable_access_logging": _flag(found, "enableAccessLogging", state["enable_access_logging"]),
        "disable_container_logging": _flag(found, "disableContainerLogging", state["disable_container_logging"]),
    }


def _flag(found: JsonObject, name: str, held: bool | None) -> bool | None:
    """Absent is false; and false is null where the state has null."""
    value = bool(found.get(name, False))
    return value if value or held is not None else None
