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
from provider.api import Api, ApiError, JsonObject
from provider.dedicated_resources import problems, resources_from_api, resources_to_api
from provider.deployed_model_schema import SCHEMA
from provider.endpoints import Endpoint, deployed_of, is_taken, split_of
from provider.names import location_of, same, split_model
from provider.operations import OperationFailed, cut_short
from provider.progress import Progress
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import Schema
from tfplugin.values import UNKNOWN, State, is_known

CREATE_TIMEOUT, UPDATE_TIMEOUT, DELETE_TIMEOUT = "2h", "1h", "30m"
CONSOLE = "https://console.cloud.google.com/vertex-ai/online-prediction/locations"
# What a new deployed model differs by: its id is derived from these.
IDENTITY = ("endpoint", "model", "display_name", "service_account", "enable_access_logging")
MUTABLE = ("dedicated_resources", "disable_container_logging")
SCALING = {
    "dedicatedResources.minReplicaCount": "min_replica_count",
    "dedicatedResources.maxReplicaCount": "max_replica_count",
    "dedicatedResources.requiredReplicaCount": "required_replica_count",
    "dedicatedResources.autoscalingMetricSpecs": "autoscaling_metric_specs",
}
# What only a finished deployment tells.
LEARNED = ("create_time", "dedicated_endpoint_dns", "predict_url", "status")


@dataclass
class DeployedModel:
    """The resource type."""

    api: Api
    type_name: str = "vertex_endpoint_deployed_model"
    schema: Schema = field(default=SCHEMA)
    made: set[str] = field(default_factory=set)  # ids of those that this run created

    def validate(self, config: State) -> Sequence[Problem]:
        if isinstance(config["model"], str):
            split_model(config["model"])
        if isinstance(config["endpoint"], str):
            location_of(config["endpoint"])
        return [*duration.problems(config), *problems(config)]

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        if prior is not None:
            return planned | (dict.fromkeys(LEARNED, UNKNOWN) if _is_deploying(prior) else {})
        machine = _identity(planned | {"display_name": config["display_name"]})
        if config["deployed_model_id"] is None and is_known(machine):
            planned["deployed_model_id"] = derived_id(machine)
        if is_known([planned["endpoint"], planned["deployed_model_id"]]):
            planned["id"] = f"{planned['endpoint']}/deployedModels/{planned['deployed_model_id']}"
        return planned

    def create(self, context: Context, planned: State) -> State:
        endpoint, number = self._endpoint(context, planned), str(planned["deployed_model_id"])
        progress = Progress(self.type_name, f"{endpoint.short_name}/{number}")
        state = planned | {"id": f"{endpoint.name}/deployedModels/{number}", "operation": None, "status": "deploying"}
        self.made.add(state["id"])
        shown = endpoint.get()
        found = deployed_of(shown, number)
        if found is None:
            operation = self._deploy(endpoint, state, shown, progress)
            state |= {"operation": operation["name"]} if operation else {}
        try:
            return self._brought_up(context, endpoint, state, progress)
        except OperationFailed:
            raise
        except (PluginError, Stopped) as error:
            # A warning, for an error would taint, and Terraform would replace what only has to be waited for.
            context.warn(
                f"{cut_short(error)} while deployed model {number} comes up ({progress.phase_now})",
                f"Google goes on with {state['operation'] or state['id']}, and what comes up costs money. "
                "Apply again, or destroy.",
            )
            return state | dict.fromkeys(LEARNED) | {"status": "deploying"}

    def read(self, context: Context, state: State) -> State | None:
        endpoint = self._endpoint(context, state)
        shown = endpoint.find()
        if shown is None:
            return None
        found = deployed_of(shown, str(state["deployed_model_id"]))
        if found is not None:
            return state | self._seen(shown, found, state)
        if not _is_deploying(state) or not state["operation"]:
            return None
        operation = endpoint.operation(state["operation"])
        if operation is not None and not operation.get("done"):
            return state
        if operation is not None and "error" in operation:
            context.warn("The deployment that an earlier apply began has failed", str(operation["error"]["message"]))
        return None

    def update(self, context: Context, prior: State, planned: State) -> State:
        endpoint, number = self._endpoint(context, planned), str(planned["deployed_model_id"])
        progress = Progress(self.type_name, f"{endpoint.short_name}/{number}")
        if _is_deploying(prior):
            up = self._brought_up(context, endpoint, prior, progress)
            planned |= {name: up[name] for name in LEARNED}
        if any(prior[name] != planned[name] for name in MUTABLE):
            self._mutate(endpoint, prior, planned, progress)
        shown = endpoint.get()
        if prior["traffic_percent"] != planned["traffic_percent"]:
            endpoint.set_traffic(shown, number, int(planned["traffic_percent"]), warn=context.warn)
        return planned | self._addresses(shown) | {"status": "ready"}

    def delete(self, context: Context, state: State) -> None:
        endpoint, number = self._endpoint(context, state), str(state["deployed_model_id"])
        if state["id"] in self.made:
            context.warn(
                f"Deployed model {number} stays: its replacement is the same",
                "A replacement of equal model and machine has the same deployed_model_id, and took over what is "
                "deployed. Set another deployed_model_id to force a new deployment.",
            )
            return
        progress = Progress(self.type_name, f"{endpoint.short_name}/{number}")
        timeout_s = duration.timeout(state, "delete", DELETE_TIMEOUT)
        running = endpoint.operation(state["operation"]) if _is_deploying(state) and state["operation"] else None
        if running is not None:
            # Google refuses to cancel a deployment: it must come up before it can go.
            with contextlib.suppress(OperationFailed):
                longest_s = max(timeout_s, duration.timeout(state, "create", CREATE_TIMEOUT))
                endpoint.wait(running, timeout_s=longest_s, progress=progress)
        progress.phase("UNDEPLOYING")
        endpoint.undeploy(number, timeout_s=timeout_s, progress=progress)
        progress.phase("UNDEPLOYED")

    def import_(self, context: Context, identifier: str) -> State:
        """identifier: `projects/P/locations/L/endpoints/E/deployedModels/ID`."""
        name, separator, number = identifier.partition("/deployedModels/")
        shown = self._endpoint(context, {"endpoint": name}).find()
        found = None if shown is None or not separator else deployed_of(shown, number)
        if shown is None or found is None:
            raise PluginError(
                "Nothing to import",
                f"Got {identifier!r}; allowed is the name ENDPOINT/deployedModels/ID of one that exists.",
            )
        project = name.split("/")[1]
        model = f"projects/{project}/" + str(found["model"]).partition("@")[0].split("/", 2)[2]
        state = self.schema.body.empty() | {"endpoint": name, "deployed_model_id": number, "id": identifier}
        state |= {"model": f"{model}@{found.get('modelVersionId', '1')}", "status": "ready"}
        state["service_account"] = found.get("serviceAccount")
        state["enable_access_logging"] = found.get("enableAccessLogging")
        return state | self._seen(shown, found, state)

    def _endpoint(self, context: Context, state: State) -> Endpoint:
        return Endpoint(self.api, context.stop, state["endpoint"])

    def _deploy(self, endpoint: Endpoint, state: State, shown: JsonObject, progress: Progress) -> JsonObject | None:
        """Starts the deployment with its share of the traffic; or joins one of this id that runs already.

        None when it is deployed by now.
        """
        number = str(state["deployed_model_id"])
        split = traffic.with_share(split_of(shown), "0", int(state["traffic_percent"]))
        progress.phase("REQUESTED")
        try:
            return endpoint.start_deploy({"id": number, **_to_api(state)}, split)
        except ApiError as error:
            if not is_taken(error, number):
                raise
            running = endpoint.deployments()
            if not running and deployed_of(endpoint.get(), number) is None:
                raise
        progress.phase("JOINED", "an earlier apply began it")
        return running[-1] if running else None

    def _brought_up(self, context: Context, endpoint: Endpoint, state: State, progress: Progress) -> State:
        """The state of one that serves: waited for, as configured, and with its share of the traffic."""
        number = str(state["deployed_model_id"])
        if state["operation"]:
            timeout_s = duration.timeout(state, "create", CREATE_TIMEOUT)
            try:
                endpoint.wait({"name": state["operation"]}, timeout_s=timeout_s, progress=progress)
            except OperationFailed as error:
                error.detail += f"\nConsole: {CONSOLE}/{endpoint.region}/endpoints/{endpoint.short_name}"
                raise
        shown = endpoint.get()
        found = deployed_of(shown, number)
        if found is None:
            raise PluginError(f"Deployed model {number} is not there", f"{endpoint.name} does not list it. Plan again.")
        if not state["operation"]:
            progress.phase("ADOPTED", "it is deployed already")
            seen = state | self._seen(shown, found, state)
            if any(seen[name] != state[name] for name in MUTABLE):
                self._mutate(endpoint, seen, state, progress)
        endpoint.set_traffic(shown, number, int(state["traffic_percent"]), warn=context.warn)
        learned = {"create_time": found.get("createTime"), "display_name": found.get("displayName"), "status": "ready"}
        return state | self._addresses(shown) | learned

    def _mutate(self, endpoint: Endpoint, prior: State, planned: State, progress: Progress) -> None:
        before, after = prior["dedicated_resources"][0], planned["dedicated_resources"][0]
        mask = [path for path, name in SCALING.items() if before[name] != after[name]]
        if prior["disable_container_logging"] != planned["disable_container_logging"]:
            mask.append("disableContainerLogging")
        resources = {key: value for key, value in resources_to_api(planned).items() if key != "machineSpec"}
        deployed = {
            "id": str(planned["deployed_model_id"]),
            "dedicatedResources": resources,
            "disableContainerLogging": bool(planned["disable_container_logging"]),
        }
        progress.phase("CHANGING " + ", ".join(mask))
        endpoint.mutate(
            deployed, mask, timeout_s=duration.timeout(planned, "update", UPDATE_TIMEOUT), progress=progress
        )
        progress.phase("CHANGED")

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
            "display_name": found.get("displayName") or state["display_name"],
            "traffic_percent": split_of(endpoint).get(str(found["id"]), 0),
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


def _to_api(state: State) -> JsonObject:
    body: JsonObject = {"model": state["model"], "dedicatedResources": resources_to_api(state)}
    names = {
        "display_name": "displayName",
        "service_account": "serviceAccount",
        "enable_access_logging": "enableAccessLogging",
        "disable_container_logging": "disableContainerLogging",
    }
    return body | {api: state[name] for name, api in names.items() if state[name] is not UNKNOWN and state[name]}
