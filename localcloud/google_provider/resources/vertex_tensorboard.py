"""google_vertex_ai_tensorboard.

Its `name`, and so its id, is the full one that the API chose.
Source of names, defaults and what forces a new one: the provider's resource_vertex_ai_tensorboard.go, 6.50.0.
"""

from __future__ import annotations

from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import RestMapping
from localcloud.google_provider.rest_resource import RestResource
from tfplugin.resource import Context
from tfplugin.values import UNKNOWN, State

TENSORBOARD = RestMapping(
    type_name="google_vertex_ai_tensorboard",
    noun="Tensorboard",
    endpoint="vertex_ai_custom_endpoint",
    collection="projects/{project}/locations/{region}/tensorboards",
    self_link="{name}",
    update="mask",
    replace=frozenset({"encryption_spec", "project", "region"}),
    in_url=frozenset({"region"}),
    has_labels=True,
)


class Tensorboard(RestResource):
    """Takes its region from the provider block when it has none; its name is the server's own."""

    def _plan_place(self, prior: State | None, planned: State, config: State) -> None:
        super()._plan_place(prior, planned, config)
        region = self._settings().region
        if config.get("region") is None and planned["region"] is UNKNOWN and region:
            planned["region"] = region

    def _observed(self, context: Context, state: State, reply: Json) -> State:
        state["name"] = reply.get("name") or state["name"]
        return super()._observed(context, state, reply)

    def import_(self, context: Context, identifier: str) -> State:
        """identifier: `projects/P/locations/L/tensorboards/ID`."""
        parts = identifier.split("/")
        place = {"project": parts[1], "region": parts[3]} if len(parts) == 6 else {}
        return {**self.schema.body.empty(), **place, "name": identifier, "id": identifier}
