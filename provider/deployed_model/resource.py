"""`vertex_endpoint_deployed_model`: a model version that serves behind an endpoint.

Its id is chosen before Google is asked, so that whatever happens meanwhile, the next apply finds what
this one began. Replicas, autoscaling, logging and traffic change in place; all else deploys anew, beside
the old one, as an update: an update that fails loses nothing, where a replacement could.
Source: Vertex AI REST v1, projects.locations.endpoints deployModel, mutateDeployedModel, undeployModel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from provider import duration
from provider.api import Api, JsonObject
from provider.deployed_model import apply, dedicated_resources, golden, planning, promotion, traffic, traffic_steps
from provider.deployed_model.document import seen, to_api
from provider.deployed_model.endpoint import Endpoint, addresses, deployed_of, ids_of, split_of
from provider.deployed_model.lineage import siblings
from provider.deployed_model.planning import DEPLOYING, LEARNED, READY, ROLLING, is_another, planned_change, planned_new
from provider.deployed_model.progress import progress_of
from provider.deployed_model.relatives import refuse_relatives, relatives_of, tell_of_strangers
from provider.deployed_model.rollout import Rollout, Unfit
from provider.deployed_model.schema import SCHEMA
from provider.deployed_model.shares import Shares
from provider.failures.screen import advice, words_of
from provider.model.registry import registry_of
from provider.names import location_of, split_model
from provider.operations import OperationFailed, cut_short
from provider.progress.phases import Progress
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import Schema
from tfplugin.values import State

CREATE_TIMEOUT, DELETE_TIMEOUT = "2h", "30m"
# What an import finds nowhere.
DEFAULTS = {"strategy": "rolling", "keep_previous": False, "drain": "10s", "status": READY}


@dataclass
class DeployedModel:
    """The resource type."""

    api: Api
    type_name: str = "vertex_endpoint_deployed_model"
    schema: Schema = field(default=SCHEMA)
    made: set[str] = field(default_factory=set)  # ids of those that this run created
    shares: Shares = field(default_factory=Shares)

    def validate(self, config: State) -> Sequence[Problem]:
        if isinstance(config["model"], str):
            split_model(config["model"])
        if isinstance(config["endpoint"], str):
            location_of(config["endpoint"], path=("endpoint",))
        found = [*duration.problems(config), *dedicated_resources.problems(config)]
        return [
            *found,
            *golden.problems(config),
            *traffic_steps.problems(config),
            *planning.problems(config),
            *promotion.problems(config),
        ]

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        planned, config = promotion.decided(context, self._look(context), prior, planned, config)
        planned = planned_new(planned, config) if prior is None else planned_change(prior, planned, config)
        self.shares.add(planned)
        return planned

    def _look(self, context: Context) -> promotion.Look:
        def look(model: str) -> promotion.Version:
            found = registry_of(self.api, context.stop, model).find(model)
            if found is None:
                raise PluginError("The model does not exist", f"Vertex AI has no {model}.", path=("model",))
            return promotion.Version(found.get("labels", {}), found.get("artifactUri", ""))

        return look

    def create(self, context: Context, planned: State) -> State:
        endpoint, number = self._endpoint(context, planned), str(planned["deployed_model_id"])
        shown = endpoint.get()
        refuse_relatives(shown, planned)
        state = planned | {"id": f"{endpoint.name}/deployedModels/{number}", "operation": None, "status": DEPLOYING}
        self.made.add(state["id"])
        rollout = self._rollout(context, endpoint, state, shown)
        rollout.begin(split=traffic.with_share(split_of(shown), "0", rollout.share))
        state |= {"operation": rollout.operation}
        try:
            return apply.brought_up(rollout, state)
        except OperationFailed:
            raise
        except Unfit as error:
            raise _unfit(error) from error
        except (PluginError, Stopped) as error:
            # A warning, for an error would taint, and Terraform would replace what only has to be waited for.
            context.warn(
                f"{cut_short(error)} while deployed model {number} comes up ({rollout.progress.phase_now})",
                f"Google goes on with {state['operation'] or state['id']}, and what comes up costs money. "
                "Apply again, or destroy.",
            )
            return state | dict.fromkeys(LEARNED) | {"status": DEPLOYING}

    def read(self, context: Context, state: State) -> State | None:
        endpoint = self._endpoint(context, state)
        shown = endpoint.find()
        if shown is None:
            return None
        number, previous, status = str(state["deployed_model_id"]), state["previous_deployed_model_id"], state["status"]
        relatives = siblings(number, ids_of(shown))
        found = deployed_of(shown, number)
        if found is None and relatives:  # a replacement that was killed before Terraform heard of it
            number, status = max(relatives, key=lambda one: split_of(shown).get(one, 0)), ROLLING
            found = deployed_of(shown, number)
        if found is None:
            return self._unfinished(context, endpoint, state)
        if previous is not None and deployed_of(shown, previous) is None:
            previous = None
        leftovers = [one for one in relatives if one not in (previous, number)]
        if status == ROLLING:  # one that is still being deployed is not listed
            leftovers += [one for one in state["leftover_deployed_model_ids"] or () if one not in ids_of(shown)]
        elif status == READY and not leftovers:
            tell_of_strangers(context, endpoint)
        now = {"previous_deployed_model_id": previous, "leftover_deployed_model_ids": leftovers, "status": status}
        return state | seen(shown, found, state) | addresses(self.api, shown) | now

    def _unfinished(self, context: Context, endpoint: Endpoint, state: State) -> State | None:
        """The state of one that the endpoint does not list: still coming, or gone."""
        if state["status"] == READY or not state["operation"]:
            return None
        operation = endpoint.operation(state["operation"])
        if operation is not None and not operation.get("done"):
            return state
        if operation is not None and "error" in operation:
            said = words_of(operation["error"])
            context.warn("The deployment that an earlier apply began has failed", f"{said}\n{advice('', said)}".strip())
        return None

    def update(self, context: Context, prior: State, planned: State) -> State:
        endpoint = self._endpoint(context, planned)
        number, before = str(planned["deployed_model_id"]), str(prior["deployed_model_id"])
        rollout = self._rollout(context, endpoint, planned, endpoint.get())
        if planned[promotion.VERDICT] not in (None, prior.get(promotion.VERDICT)):
            rollout.progress.phase("PROMOTION", planned[promotion.VERDICT])
        kept = prior | {"status": DEPLOYING if prior["status"] == DEPLOYING else ROLLING}
        if number != before:
            kept |= {"leftover_deployed_model_ids": [number]}
        try:
            if prior["status"] != READY and number not in (prior["leftover_deployed_model_ids"] or ()):
                self._await(rollout, prior)
            if number != before or is_another(prior, planned):
                return apply.replaced(rollout, prior, planned)
            return apply.changed(rollout, prior, planned)
        except Unfit as error:
            raise _unfit(error, state=prior | {"status": READY}) from error
        except OperationFailed:
            raise
        except (PluginError, Stopped) as error:
            detail = f"{error.detail}\n" if isinstance(error, PluginError) else ""
            raise PluginError(
                f"{cut_short(error)} while deployed model {number} takes over ({rollout.progress.phase_now})",
                f"{detail}What was begun goes on, and costs money. Apply again: the next apply goes on from there.",
                state=kept | {"operation": rollout.operation or prior["operation"]},
            ) from error

    def _await(self, rollout: Rollout, prior: State) -> None:
        """The end of the deployment that an earlier apply began, when it is not the one that is wanted now."""
        operation = rollout.endpoint.operation(prior["operation"]) if prior["operation"] else None
        if operation is not None and not operation.get("done"):
            with contextlib.suppress(OperationFailed):
                rollout.endpoint.wait(operation, timeout_s=rollout.deploy_timeout_s, progress=rollout.progress)

    def delete(self, context: Context, state: State) -> None:
        endpoint, number = self._endpoint(context, state), str(state["deployed_model_id"])
        if state["id"] in self.made:
            context.warn(
                f"Deployed model {number} stays: its replacement is the same",
                "A replacement of equal model and machine has the same deployed_model_id, and took over what is "
                "deployed. Set another deployed_model_id to force a new deployment.",
            )
            return
        progress = progress_of(self.type_name, state)
        timeout_s = duration.timeout(state, "delete", DELETE_TIMEOUT)
        self._let_run_out(endpoint, state, timeout_s, progress)
        shown = endpoint.find() or {}
        for one in [*relatives_of(shown, state), number]:
            if deployed_of(shown, one) is not None:
                progress.phase(f"UNDEPLOYING {one}")
                endpoint.undeploy(one, timeout_s=timeout_s, progress=progress)
                progress.phase(f"UNDEPLOYED {one}")

    def _let_run_out(self, endpoint: Endpoint, state: State, timeout_s: float, progress: Progress) -> None:
        """Google refuses to cancel a deployment: it must come up before it can go."""
        if state["status"] == READY or not state["operation"]:
            return
        running = endpoint.operation(state["operation"])
        if running is not None and not running.get("done"):
            longest_s = max(timeout_s, duration.timeout(state, "create", CREATE_TIMEOUT))
            with contextlib.suppress(OperationFailed):
                endpoint.wait(running, timeout_s=longest_s, progress=progress)

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
        state = self.schema.body.empty() | DEFAULTS | {"endpoint": name}
        state |= {"model": f"{model}@{found.get('modelVersionId', '1')}", "leftover_deployed_model_ids": []}
        return state | seen(shown, found, state) | addresses(self.api, shown)

    def _endpoint(self, context: Context, state: State) -> Endpoint:
        return Endpoint(self.api, context.stop, state["endpoint"])

    def _rollout(self, context: Context, endpoint: Endpoint, state: State, shown: JsonObject) -> Rollout:
        number = str(state["deployed_model_id"])
        return Rollout(
            endpoint,
            progress_of(self.type_name, state),
            number,
            to_api(state),
            int(state["traffic_percent"]),
            addresses(self.api, shown)["predict_url"],
            context.warn,
            steps=traffic_steps.steps_of(state),
            golden=golden.golden_of(state),
            drain_s=duration.pause(state["drain"]),
            deploy_timeout_s=duration.timeout(state, "create", CREATE_TIMEOUT),
            undeploy_timeout_s=duration.timeout(state, "delete", DELETE_TIMEOUT),
        )


def _unfit(error: Unfit, state: State | None = None) -> PluginError:
    return PluginError("The new deployed model must not serve", f"{error}.", state=state)
