"""Deployed models that one resource has, or has left, on its endpoint beside the one its state names.

A deployed model that nobody knows costs as much as one that serves: here they are found, told and refused.
"""

from __future__ import annotations

from provider.api import JsonObject
from provider.deployed_model.endpoint import Endpoint, ids_of
from provider.deployed_model.lineage import siblings
from tfplugin.resource import Context, PluginError
from tfplugin.values import State


def relatives_of(shown: JsonObject, state: State) -> list[str]:
    """Deployed models of the same resource that the endpoint has beside the state's own."""
    number, deployed = str(state["deployed_model_id"]), ids_of(shown)
    known = [state["previous_deployed_model_id"], *(state["leftover_deployed_model_ids"] or ())]
    return [one for one in deployed if one != number and (one in known or one in siblings(number, deployed))]


def refuse_relatives(shown: JsonObject, planned: State) -> None:
    """An earlier apply with another configuration may have left one: to deploy beside it would cost twice."""
    relatives = siblings(str(planned["deployed_model_id"]), ids_of(shown))
    if relatives and planned["deployed_model_id"] not in ids_of(shown):
        name = planned["endpoint"]
        raise PluginError(
            f"{name} has a deployed model of this resource that the state does not know",
            f"Deployed model {relatives[0]} has the same endpoint, model and track, but another version, machine or "
            "identity. An apply that was killed may have left it, and it costs money. To go on from it:\n"
            f"  terraform import vertex_endpoint_deployed_model.NAME {name}/deployedModels/{relatives[0]}\n"
            "If both shall serve, set `track` of one of them. Otherwise undeploy it.",
        )


def tell_of_strangers(context: Context, endpoint: Endpoint) -> None:
    running = endpoint.deployments()
    if running:
        context.warn(
            f"Something is being deployed to {endpoint.name} that this state does not know",
            f"Operation {running[-1]['name']} runs. If an apply was killed, apply again: it goes on with it. What it "
            "makes costs money, and shows in leftover_deployed_model_ids once it is up.",
        )
