"""google_vertex_ai_endpoint.

Source of names, defaults and what forces a new one: the provider's resource_vertex_ai_endpoint.go, 6.50.0.
"""

from __future__ import annotations

import json

from localcloud.google_provider.document import Json
from localcloud.google_provider.mapping import RestMapping, same_json
from localcloud.google_provider.rest_resource import RestResource
from tfplugin.values import State

ENDPOINT = RestMapping(
    type_name="google_vertex_ai_endpoint",
    noun="Endpoint",
    endpoint="vertex_ai_custom_endpoint",
    collection="projects/{project}/locations/{location}/endpoints",
    self_link="projects/{project}/locations/{location}/endpoints/{name}",
    id_query="endpointId={name}",
    imports=(
        "projects/{project}/locations/{location}/endpoints/{name}",
        "{project}/{location}/{name}",
        "{location}/{name}",
    ),
    update="mask",
    replace=frozenset(
        {
            "encryption_spec",
            "location",
            "name",
            "network",
            "project",
            "region",
            "private_service_connect_config.enable_private_service_connect",
        }
    ),
    in_url=frozenset({"location", "name", "region"}),
    same={"traffic_split": same_json},
    has_labels=True,
    conflicts=(
        ("dedicated_endpoint_enabled", "private_service_connect_config"),
        ("network", "private_service_connect_config"),
    ),
)


class Endpoint(RestResource):
    """`traffic_split` is JSON text in Terraform, and an object in the API."""

    def _body(self, state: State) -> Json:
        document = super()._body(state)
        if "trafficSplit" in document:
            document["trafficSplit"] = json.loads(document["trafficSplit"])
        return document

    def _from_api(self, document: Json, prior: State) -> State:
        split = document.get("trafficSplit")
        text = json.dumps(split, sort_keys=True, separators=(",", ":")) if split else None
        return super()._from_api({**document, "trafficSplit": text}, prior)
