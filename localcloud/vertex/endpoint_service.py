"""What Vertex AI's EndpointService does with endpoints themselves; deployed models are `deployments`.

Knows no routes.
"""

from __future__ import annotations

from localcloud.cloud import LocalCloud
from localcloud.errors import invalid
from localcloud.operations import RunningOperation
from localcloud.store import Document
from localcloud.vertex.endpoints import Endpoints, checked_endpoint, inference_timeout_s
from localcloud.vertex.model_service import metadata_of
from localcloud.vertex.names import checked_endpoint_id, made_up_id
from localcloud.wire import matches, page

ENDPOINT_TYPE = "type.googleapis.com/google.cloud.aiplatform.v1.Endpoint"
FILTER_FIELDS = ("displayName", "labels", "endpoint")


class EndpointService:
    """Create, list, update and delete."""

    def __init__(self, cloud: LocalCloud, endpoints: Endpoints) -> None:
        self.cloud = cloud
        self.endpoints = endpoints

    def create(self, parent: str, wanted: Document, endpoint_id: str | None) -> Document:
        checked_endpoint(wanted)
        name = f"{parent}/endpoints/{checked_endpoint_id(endpoint_id) if endpoint_id else made_up_id()}"
        if self.cloud.store.get(name) is not None:
            raise self.endpoints.already_exists(name)
        return self.cloud.operations.start(
            "createEndpoint",
            prefix=name,
            arguments={"name": name, "endpoint": wanted},
            metadata=metadata_of("CreateEndpointOperationMetadata"),
            response_type=ENDPOINT_TYPE,
        )

    def run_create(self, running: RunningOperation) -> Document:
        running.stage(name="CREATING")
        return self.endpoints.create(running.arguments["name"], running.arguments["endpoint"], operation=running.name)

    def list_endpoints(self, parent: str, query: Document) -> Document:
        found = [
            endpoint
            for endpoint in self.endpoints.in_location(parent)
            if matches(
                {**endpoint, "endpoint": endpoint["name"].rsplit("/", 1)[1]}, query.get("filter"), fields=FILTER_FIELDS
            )
        ]
        return page(found, key="endpoints", size=query.get("pageSize"), token=query.get("pageToken"))

    def update(self, name: str, wanted: Document) -> Document:
        """The one thing that PATCH cannot: clientConnectionConfig."""
        endpoint = self.endpoints.find(name)
        wrong = [key for key in wanted if key not in ("name", "clientConnectionConfig")]
        if wrong or not wanted.get("clientConnectionConfig"):
            raise invalid(f"UpdateEndpoint changes client_connection_config only, got [{', '.join(sorted(wanted))}].")
        if not endpoint.get("dedicatedEndpointEnabled"):
            raise invalid("client_connection_config needs a dedicated endpoint (dedicated_endpoint_enabled).")
        if not 0 < inference_timeout_s({**endpoint, **wanted}) <= 3600:
            raise invalid("inference_timeout must be more than 0 s and at most 3600 s.")
        return self.cloud.operations.start(
            "updateEndpoint",
            prefix=name,
            arguments={"name": name, "endpoint": wanted},
            metadata=metadata_of("UpdateEndpointOperationMetadata"),
            response_type=ENDPOINT_TYPE,
        )

    def run_update(self, running: RunningOperation) -> Document:
        running.stage(name="UPDATING")
        return self.endpoints.update_connection(running.arguments["name"], running.arguments["endpoint"])

    def delete(self, name: str) -> Document:
        self.endpoints.check_deletable(name)
        return self.cloud.operations.start(
            "deleteEndpoint",
            prefix=name,
            arguments={"name": name},
            metadata=metadata_of("DeleteOperationMetadata"),
        )

    def run_delete(self, running: RunningOperation) -> Document:
        running.stage(name="DELETING")
        self.endpoints.delete(running.arguments["name"])
        return {}
