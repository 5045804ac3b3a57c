"""Endpoints as documents: made, changed, shown, refused to be deleted while a model is deployed.

An endpoint's document also says what is in flight (`_deploying`, `_changing`), so that a restart and
a second client see the same. Knows nothing of processes or routes.
"""

from __future__ import annotations

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid, not_found
from localcloud.operations import now
from localcloud.store import Document
from localcloud.vertex.models import checked_display_name
from localcloud.vertex.traffic import checked_split

PATCHABLE = ("displayName", "description", "labels", "trafficSplit", "predictRequestResponseLoggingConfig")
CREATED_WITH = (
    *PATCHABLE,
    "dedicatedEndpointEnabled",
    "clientConnectionConfig",
    "network",
    "encryptionSpec",
    "privateServiceConnectConfig",
)


class Endpoints:
    """Reads and writes within the store's transactions. Names are canonical; what is shown is numbered."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def find(self, name: str) -> Document:
        endpoint = self._store.get(name)
        if endpoint is None:
            raise not_found(self._cloud.projects.numbered(name))
        return endpoint

    def get(self, name: str) -> Document:
        return self.shown(self.find(name))

    def in_location(self, parent: str) -> list[Document]:
        """Newest first."""
        return [self.shown(one) for one in reversed(self._store.list("endpoint", under=f"{parent}/endpoints"))]

    def all(self) -> list[Document]:
        return self._store.list("endpoint")

    def shown(self, endpoint: Document) -> Document:
        """As a client reads it: absent where zero, empty or false, as Google does."""
        document = {key: value for key, value in endpoint.items() if not key.startswith("_") and value}
        document["name"] = self._cloud.projects.numbered(endpoint["name"])
        if endpoint.get("dedicatedEndpointEnabled"):
            document["dedicatedEndpointDns"] = self._cloud.dedicated_url.partition("://")[2]
        if endpoint["deployedModels"]:
            document["deployedModels"] = [self.shown_deployed(endpoint, one) for one in endpoint["deployedModels"]]
        return document

    def shown_deployed(self, endpoint: Document, deployed: Document) -> Document:
        shown = {key: value for key, value in deployed.items() if not key.startswith("_") and value}
        shown["model"] = self._cloud.projects.numbered(deployed["model"])
        replicas = self._cloud.supervisor.list(under=replicas_of(endpoint["name"], deployed["id"]))
        healthy = sum(replica.state == "healthy" for replica in replicas)
        if healthy:
            shown["status"] = {"availableReplicaCount": healthy, "lastUpdateTime": now()}
        return shown

    def create(self, name: str, wanted: Document, *, operation: str) -> Document:
        """The same operation twice makes one endpoint. Raises ALREADY_EXISTS for another's."""
        with self._store.transaction():
            existing = self._store.get(name)
            if existing is not None:
                if existing["_operation"] != operation:
                    raise self.already_exists(name)
                return self.shown(existing)
            endpoint = {key: wanted[key] for key in CREATED_WITH if key in wanted}
            endpoint |= {
                "name": name,
                "deployedModels": [],
                "trafficSplit": {},
                "createTime": now(),
                "updateTime": now(),
                "_operation": operation,
                "_deploying": {},
                "_changing": {},
            }
            self._store.put(name, kind="endpoint", document=endpoint)
            return self.shown(endpoint)

    def already_exists(self, name: str) -> ApiError:
        return ApiError("ALREADY_EXISTS", f"The Endpoint {self._cloud.projects.numbered(name)} already exists.")

    def patch(self, name: str, changes: Document, mask: list[str]) -> Document:
        fields = [path.split(".")[0] for path in mask] or [field for field in PATCHABLE if field in changes]
        wrong = [field for field in fields if field not in PATCHABLE]
        if wrong:
            raise invalid(
                f"The fields [{', '.join(wrong)}] of an Endpoint cannot be updated; these can: {', '.join(PATCHABLE)}."
            )
        if "displayName" in fields:
            checked_display_name(changes)
        with self._store.transaction():
            endpoint = self.find(name)
            for field in fields:
                value = changes.get(field)
                if field == "trafficSplit":
                    value = checked_split(value or {}, deployed=ids_of(endpoint))
                endpoint[field] = value
            endpoint["updateTime"] = now()
            self._store.put(name, kind="endpoint", document=endpoint)
            return self.shown(endpoint)

    def update_connection(self, name: str, wanted: Document) -> Document:
        def change(endpoint: Document) -> None:
            endpoint |= {"clientConnectionConfig": wanted.get("clientConnectionConfig"), "updateTime": now()}

        return self.shown(self._store.update(name, change))

    def check_deletable(self, name: str) -> None:
        endpoint = self.find(name)
        if endpoint["deployedModels"] or endpoint["_deploying"]:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"Endpoint {self._cloud.projects.numbered(name)} has deployed or being-deployed DeployedModel(s): "
                f"{', '.join([*ids_of(endpoint), *endpoint['_deploying']])}. Undeploy them first.",
            )

    def delete(self, name: str) -> None:
        with self._store.transaction():
            if self._store.get(name) is not None:
                self.check_deletable(name)
                self._store.delete(name)

    def check_not_deployed(self, model: str, version_id: str | None) -> None:
        """Raises FAILED_PRECONDITION when any endpoint serves this model (this version of it) or soon will."""
        users = []
        for endpoint in self.all():
            for deployed in [*endpoint["deployedModels"], *endpoint["_deploying"].values()]:
                if deployed["model"] == model and version_id in (None, deployed["modelVersionId"]):
                    users.append(self._cloud.projects.numbered(endpoint["name"]))
        if users:
            shown = f"{self._cloud.projects.numbered(model)}{f'@{version_id}' if version_id else ''}"
            raise ApiError(
                "FAILED_PRECONDITION",
                f'The Model "{shown}" is deployed or being deployed at the following Endpoint(s): '
                f'"{", ".join(dict.fromkeys(users))}".',
            )


def checked_endpoint(wanted: Document) -> None:
    checked_display_name(wanted)
    if wanted.get("trafficSplit"):
        raise invalid("traffic_split cannot be set before a model is deployed.")
    if wanted.get("dedicatedEndpointEnabled") and wanted.get("privateServiceConnectConfig"):
        raise invalid("dedicated_endpoint_enabled and private_service_connect_config exclude each other.")
    timeout = inference_timeout_s(wanted)
    if not 0 < timeout <= 3600:
        raise invalid(f"inference_timeout must be more than 0 s and at most 3600 s, got {timeout:g} s.")


def inference_timeout_s(endpoint: Document) -> float:
    """60 s on shared endpoints; on dedicated ones 600 s, or what clientConnectionConfig says."""
    if not endpoint.get("dedicatedEndpointEnabled"):
        return 60.0
    text = str((endpoint.get("clientConnectionConfig") or {}).get("inferenceTimeout") or "600s")
    try:
        return float(text.removesuffix("s"))
    except ValueError as error:
        raise invalid(f"Invalid inference_timeout {text!r}: write seconds, as in '600s'.") from error


def ids_of(endpoint: Document) -> list[str]:
    return [deployed["id"] for deployed in endpoint["deployedModels"]]


def deployed_of(endpoint: Document, deployed_id: str) -> Document | None:
    return next((one for one in endpoint["deployedModels"] if one["id"] == deployed_id), None)


def replicas_of(endpoint_name: str, deployed_id: str) -> str:
    """The name under which the supervisor has its replicas: `vertex/p/l/endpoint/deployed/{0,1,…}`."""
    _, project, _, location, _, endpoint = endpoint_name.split("/")
    return f"vertex/{project}/{location}/{endpoint}/{deployed_id}"
