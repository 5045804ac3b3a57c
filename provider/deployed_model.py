"""`vertex_endpoint_deployed_model`: a model version that serves behind an endpoint.

Its id is chosen before Google is asked, so that whatever happens meanwhile, the next apply finds what
this one began. Replicas, autoscaling, logging and traffic change in place; all else is a new one.
Source: Vertex AI REST v1, projects.locations.endpoints deployModel, mutateDeployedModel, undeployModel.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from provider import duration, traffic
from provider.api import Api, JsonObject
from provider.dedicated_resources import problems, resources_from_api, resources_to_api
from provider.deployed_model_schema import SCHEMA
from provider.names import location_of, same, split_model
from provider.operations import OperationFailed, OperationTimedOut, retry_precondition, wait
from provider.progress import Progress
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import Schema
from tfplugin.values import UNKNOWN, State, is_known

CREATE_TIMEOUT, UPDATE_TIMEOUT, DELETE_TIMEOUT = "2h", "1h", "30m"
CONSOLE = "https://console.cloud.google.com/vertex-ai/online-prediction/locations"
# What a new deployed model differs by: its id is derived from these.
IDENTITY = ("endpoint", "model", "display_name", "service_account", "enable_access_logging")
MUTABLE = ("dedicated_resources", "disable_container_logging")
# What only a finished deployment tells.
LEARNED = ("create_time", "dedicated_endpoint_dns", "predict_url", "status")


@dataclass
class DeployedModel:
    """The resource type."""

    api: Api
    type_name: str = "vertex_endpoint_deployed_model"
    schema: Schema = field(default=SCHEMA)

    def validate(self, config: State) -> Sequence[Problem]:
        if isinstance(config["model"], str):
            split_model(config["model"])
        if isinstance(config["endpoint"], str):
            location_of(config["endpoint"])
        return [*duration.problems(config), *problems(config)]

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        if prior is not None:
            return planned | (dict.fromkeys(LEARNED, UNKNOWN) if _is_deploying(prior) else {})
        machine = _identity(planned)
        if config["deployed_model_id"] is None and is_known(machine):
            planned["deployed_model_id"] = derived_id(machine)
        if is_known([planned["endpoint"], planned["deployed_model_id"]]):
            planned["id"] = f"{planned['endpoint']}/deployedModels/{planned['deployed_model_id']}"
        return planned

    def create(self, context: Context, planned: State) -> State:
        endpoint, number = planned["endpoint"], str(planned["deployed_model_id"])
        progress = Progress(self.type_name, f"{endpoint.rpartition('/')[2]}/{number}")
        state = planned | {"id": f"{endpoint}/deployedModels/{number}", "operation": None, "status": "deploying"}
        held = self._endpoint(context, endpoint)
        if _deployed(held, number) is not None:
            progress.phase("ADOPTED", "it is deployed already")
            return self._serving(context, state)
        state = self._deploy(context, state, held, progress)
        return state if state["status"] == "deploying" else self._serving(context, state)

    def read(self, context: Context, state: State) -> State | None:
        path, region = f"/v1/{state['endpoint']}", location_of(state["endpoint"])
        endpoint = self.api.find("aiplatform", path, stop=context.stop, region=region)
        found = None if endpoint is None else _deployed(endpoint, state["deployed_model_id"])
        if endpoint is not None and found is not None:
            return state | self._seen(endpoint, found, state)
        if endpoint is not None and _is_deploying(state) and self._runs(context, state):
            return state
        return None

    def update(self, context: Context, prior: State, planned: State) -> State:
        number = str(planned["deployed_model_id"])
        if _is_deploying(prior):
            progress = Progress(self.type_name, f"{planned['endpoint'].rpartition('/')[2]}/{number}")
            state = self._wait(context, planned, {"name": prior["operation"]}, progress)
            if _is_deploying(state):
                return state
            planned = self._serving(context, planned)
        if any(prior[name] != planned[name] for name in MUTABLE):
            self._mutate(context, prior, planned)
        endpoint = self._endpoint(context, planned["endpoint"])
        if prior["traffic_percent"] != planned["traffic_percent"]:
            self._set_traffic(context, endpoint, number, int(planned["traffic_percent"]))
        return planned | self._addresses(endpoint) | {"status": "ready"}

    def delete(self, context: Context, state: State) -> None:
        region, number = location_of(state["endpoint"]), str(state["deployed_model_id"])
        endpoint = self.api.find("aiplatform", f"/v1/{state['endpoint']}", stop=context.stop, region=region)
        progress = Progress(self.type_name, f"{state['endpoint'].rpartition('/')[2]}/{number}")
        if endpoint is not None and _is_deploying(state) and self._runs(context, state):
            # Google refuses to cancel a deployment: it must come up before it can go.
            with contextlib.suppress(OperationFailed):
                self._wait(context, state, {"name": state["operation"]}, progress)
            endpoint = self._endpoint(context, state["endpoint"])
        if endpoint is None or _deployed(endpoint, number) is None:
            return
        progress.phase("UNDEPLOYING")
        body: JsonObject = {"deployedModelId": number}
        ids = [str(one["id"]) for one in endpoint.get("deployedModels", [])]
        rest = traffic.without(_split(endpoint), number, ids)
        if rest is not None:
            body["trafficSplit"] = rest
        timeout_s = duration.timeout(state, "delete", DELETE_TIMEOUT)
        operation = retry_precondition(
            self.api,
            "POST",
            f"/v1/{state['endpoint']}:undeployModel",
            stop=context.stop,
            region=region,
            timeout_s=timeout_s,
            json=body,
        )
        if operation is not None:
            wait(self.api, operation, timeout_s=timeout_s, progress=progress, stop=context.stop, region=region)
        after = self.api.find("aiplatform", f"/v1/{state['endpoint']}", stop=context.stop, region=region)
        if after is not None and _deployed(after, number) is not None:
            raise PluginError(
                f"Deployed model {number} is still there after undeploying",
                f"{state['endpoint']} still lists it, and it still costs money. Apply again, or undeploy it by hand.",
            )
        progress.phase("UNDEPLOYED")

    def import_(self, context: Context, identifier: str) -> State:
        """identifier: `projects/P/locations/L/endpoints/E/deployedModels/ID`."""
        endpoint_name, found_separator, number = identifier.partition("/deployedModels/")
        region = location_of(endpoint_name)
        endpoint = self.api.find("aiplatform", f"/v1/{endpoint_name}", stop=context.stop, region=region)
        found = None if endpoint is None or not found_separator else _deployed(endpoint, number)
        if endpoint is None or found is None:
            raise PluginError(
                "Nothing to import",
                f"Got {identifier!r}; allowed is the name ENDPOINT/deployedModels/ID of one that exists.",
            )
        project = endpoint_name.split("/")[1]
        model = f"projects/{project}/" + str(found["model"]).partition("@")[0].split("/", 2)[2]
        state = self.schema.body.empty() | {"endpoint": endpoint_name, "deployed_model_id": number, "id": identifier}
        state |= {"model": f"{model}@{found.get('modelVersionId', '1')}", "status": "ready"}
        state["display_name"], state["service_account"] = found.get("displayName"), found.get("serviceAccount")
        state["enable_access_logging"] = found.get("enableAccessLogging")
        return state | self._seen(endpoint, found, state)

    def _endpoint(self, context: Context, name: str) -> JsonObject:
        return self.api.get("aiplatform", f"/v1/{name}", stop=context.stop, region=location_of(name))

    def _deploy(self, context: Context, state: State, endpoint: JsonObject, progress: Progress) -> State:
        """Starts the deployment, all its traffic included, and waits."""
        region, number = location_of(state["endpoint"]), str(state["deployed_model_id"])
        split = traffic.with_share(_split(endpoint), "0", int(state["traffic_percent"]))
        body = {"deployedModel": {"id": number, **_to_api(state)}, "trafficSplit": split}
        progress.phase("REQUESTED")
        path = f"/v1/{state['endpoint']}:deployModel"
        operation = self.api.call("aiplatform", "POST", path, stop=context.stop, region=region, json=body)
        return self._wait(context, state | {"operation": operation["name"]}, operation, progress)

    def _wait(self, context: Context, state: State, operation: JsonObject, progress: Progress) -> State:
        """The state once the deployment is done: "ready".

        When Terraform asks to stop, or the time-out is over, "deploying" with a warning: an error would
        taint the resource, and Terraform would replace it where it only has to be waited for.
        """
        region, number = location_of(state["endpoint"]), str(state["deployed_model_id"])
        timeout_s = duration.timeout(state, "create", CREATE_TIMEOUT)
        goes_on = f"Google goes on with {operation['name']}, and what comes up costs money. Apply again, or destroy."
        try:
            wait(self.api, operation, timeout_s=timeout_s, progress=progress, stop=context.stop, region=region)
        except Stopped:
            context.warn(f"Interrupted while deployed model {number} comes up ({progress.phase_now})", goes_on)
            return state | {"status": "deploying"}
        except OperationTimedOut as error:
            context.warn(error.summary, goes_on)
            return state | {"status": "deploying"}
        except PluginError as error:
            error.detail += f"\nConsole: {CONSOLE}/{region}/endpoints/{state['endpoint'].rpartition('/')[2]}"
            raise
        return state | {"status": "ready"}

    def _serving(self, context: Context, state: State) -> State:
        """The state of one that is deployed, with its share of the traffic given to it."""
        number = str(state["deployed_model_id"])
        endpoint = self._endpoint(context, state["endpoint"])
        created = (_deployed(endpoint, number) or {}).get("createTime")
        self._set_traffic(context, endpoint, number, int(state["traffic_percent"]))
        return state | self._addresses(endpoint) | {"create_time": created, "status": "ready"}

    def _runs(self, context: Context, state: State) -> bool:
        """Whether the operation that deploys it still runs."""
        path, region = f"/v1/{state['operation']}", location_of(state["endpoint"])
        operation = self.api.find("aiplatform", path, stop=context.stop, region=region)
        return operation is not None and not operation.get("done")

    def _mutate(self, context: Context, prior: State, planned: State) -> None:
        region, number = location_of(planned["endpoint"]), str(planned["deployed_model_id"])
        resources = resources_to_api(planned)
        wanted = {
            "dedicatedResources.minReplicaCount": "min_replica_count",
            "dedicatedResources.maxReplicaCount": "max_replica_count",
            "dedicatedResources.requiredReplicaCount": "required_replica_count",
            "dedicatedResources.autoscalingMetricSpecs": "autoscaling_metric_specs",
        }
        before, after = prior["dedicated_resources"][0], planned["dedicated_resources"][0]
        mask = [path for path, name in wanted.items() if before[name] != after[name]]
        if prior["disable_container_logging"] != planned["disable_container_logging"]:
            mask.append("disableContainerLogging")
        body: JsonObject = {
            "deployedModel": {
                "id": number,
                "dedicatedResources": {key: value for key, value in resources.items() if key != "machineSpec"},
                "disableContainerLogging": bool(planned["disable_container_logging"]),
            },
            "updateMask": ",".join(mask),
        }
        progress = Progress(self.type_name, f"{planned['endpoint'].rpartition('/')[2]}/{number}")
        progress.phase("CHANGING " + ", ".join(mask))
        path = f"/v1/{planned['endpoint']}:mutateDeployedModel"
        timeout_s = duration.timeout(planned, "update", UPDATE_TIMEOUT)
        operation = retry_precondition(
            self.api, "POST", path, stop=context.stop, region=region, timeout_s=timeout_s, json=body
        )
        if operation is None:
            raise PluginError("The endpoint is gone", f"{planned['endpoint']} does not exist any more. Plan again.")
        wait(self.api, operation, timeout_s=timeout_s, progress=progress, stop=context.stop, region=region)

    def _set_traffic(self, context: Context, endpoint: JsonObject, number: str, percent: int) -> None:
        split = _split(endpoint)
        if split.get(number, 0) == percent:
            return
        name = endpoint["name"]
        self.api.call(
            "aiplatform",
            "PATCH",
            f"/v1/{name}",
            stop=context.stop,
            region=location_of(name),
            params={"updateMask": "trafficSplit"},
            json={"trafficSplit": traffic.with_share(split, number, percent)},
        )

    def _addresses(self, endpoint: JsonObject) -> State:
        """Where predictions go: the endpoint's own domain, or the region's shared one."""
        domain = endpoint.get("dedicatedEndpointDns") or None
        region = location_of(endpoint["name"])
        host = f"{self.api.scheme}://{domain}" if domain else self.api.host("aiplatform", region=region)
        return {"dedicated_endpoint_dns": domain, "predict_url": f"{host}/v1/{endpoint['name']}:predict"}

    def _seen(self, endpoint: JsonObject, found: JsonObject, state: State) -> State:
        """What Google shows now, spelled as the state spells it where both mean the same."""
        model, version = split_model(state["model"])
        seen_model, seen_version = str(found["model"]).partition("@")[0], str(found.get("modelVersionId", version))
        unchanged = same(model, seen_model) and version == seen_version
        seen: State = {
            "model": state["model"] if unchanged else f"{seen_model}@{seen_version}",
            "traffic_percent": _split(endpoint).get(str(found["id"]), 0),
            "create_time": found.get("createTime", state["create_time"]),
            "dedicated_resources": [resources_from_api(found.get("dedicatedResources", {}), state)],
            "status": "ready",
        }
        logging = bool(found.get("disableContainerLogging", False))
        seen["disable_container_logging"] = (
            logging if logging or state["disable_container_logging"] is not None else None
        )
        return seen | self._addresses(endpoint)


def _is_deploying(state: State) -> bool:
    return bool(state["status"] == "deploying")


def derived_id(identity: list[Any]) -> str:
    """Ten digits, the first not 0, that depend on nothing but the identity."""
    text = json.dumps(identity, sort_keys=True)
    return str(10**9 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % (9 * 10**9))


def _identity(planned: State) -> list[Any]:
    resources = [
        {"machine_spec": one["machine_spec"], "spot": one["spot"]} for one in planned["dedicated_resources"] or []
    ]
    return [*(planned[name] for name in IDENTITY), resources]


def _deployed(endpoint: JsonObject, number: Any) -> JsonObject | None:
    return next((one for one in endpoint.get("deployedModels", []) if str(one["id"]) == str(number)), None)


def _split(endpoint: JsonObject) -> traffic.Split:
    return {str(key): int(share) for key, share in endpoint.get("trafficSplit", {}).items()}


def _to_api(state: State) -> JsonObject:
    body: JsonObject = {"model": state["model"], "dedicatedResources": resources_to_api(state)}
    names = {
        "display_name": "displayName",
        "service_account": "serviceAccount",
        "enable_access_logging": "enableAccessLogging",
        "disable_container_logging": "disableContainerLogging",
    }
    return body | {api: state[name] for name, api in names.items() if state[name]}
