"""Deploying, changing and undeploying models on endpoints, as long-running operations.

Each has two halves: `start_*` checks and writes down what is in flight, in one transaction with the
operation, so that a second request sees it; `run_*` does it, and can begin again after a restart. Knows
no routes.
Source of the rules: EndpointService of google-cloud-aiplatform; error texts of the real service.
"""

from __future__ import annotations

import logging
from typing import Any

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid, not_found
from localcloud.operations import RunningOperation, now
from localcloud.store import Document
from localcloud.vertex.deployed_model import checked_deployed_model, checked_replicas
from localcloud.vertex.endpoints import Endpoints, deployed_of, ids_of
from localcloud.vertex.models import Models
from localcloud.vertex.names import checked_deployed_model_id, location_of, made_up_id, model_name
from localcloud.vertex.replicas import Replicas
from localcloud.vertex.traffic import checked_split, split_after_deploy

logger = logging.getLogger("localcloud")
CANNOT_START = (ApiError, OSError, ValueError, LookupError)  # no image, no command, a folder that is gone
V1 = "google.cloud.aiplatform.v1"
STAGES_BEFORE_START = (
    "STARTING_DEPLOYMENT",
    "PREPARING_MODEL",
    "CREATING_SERVING_CLUSTER",
    "ADDING_NODES_TO_CLUSTER",
    "GETTING_CONTAINER_IMAGE",
)
# What mutateDeployedModel can change; everything else of a deployed model needs a new one.
MUTABLE = (
    "dedicatedResources.minReplicaCount",
    "dedicatedResources.maxReplicaCount",
    "dedicatedResources.requiredReplicaCount",
    "dedicatedResources.autoscalingMetricSpecs",
    "disableContainerLogging",
)


class Deployments:
    """The deployed models of every endpoint."""

    def __init__(self, cloud: LocalCloud, models: Models, endpoints: Endpoints, replicas: Replicas) -> None:
        self._cloud = cloud
        self._models = models
        self._endpoints = endpoints
        self._replicas = replicas

    def start_deploy(self, name: str, body: Document) -> Document:
        wanted: Document = body.get("deployedModel") or {}
        deployed = checked_deployed_model(wanted)
        deployed |= self._model_of(wanted, location_of(name))
        with self._cloud.store.transaction():
            endpoint = self._endpoints.find(name)
            taken = [*ids_of(endpoint), *endpoint["_deploying"]]
            deployed["id"] = checked_deployed_model_id(str(wanted["id"])) if wanted.get("id") else made_up_id()
            if deployed["id"] in taken:
                raise ApiError(
                    "ALREADY_EXISTS",
                    f"The DeployedModel id {deployed['id']} is in use on Endpoint {self._shown(name)}.",
                )
            split = body.get("trafficSplit") or {}
            split_after_deploy(endpoint["trafficSplit"] or {}, split, new_id=deployed["id"], deployed=ids_of(endpoint))
            endpoint["_deploying"][deployed["id"]] = deployed
            self._cloud.store.put(name, kind="endpoint", document=endpoint)
            return self._start(
                "deployModel",
                name,
                {"deployedModel": deployed, "trafficSplit": split},
                "DeployModel",
                {"deploymentStage": STAGES_BEFORE_START[0]},
            )

    def _model_of(self, wanted: Document, location: str) -> Document:
        if not wanted.get("model"):
            raise invalid("deployed_model.model is required.")
        text = self._cloud.projects.canonical(wanted["model"])
        if location_of(model_name(text).name) != location:
            raise invalid(f"The Model {wanted['model']} and the Endpoint must be in the same location ({location}).")
        model, version = self._models.find_version(text)
        return {
            "model": model["name"],
            "modelVersionId": version["versionId"],
            "displayName": wanted.get("displayName") or model["displayName"],
        }

    def run_deploy(self, running: RunningOperation) -> Document:
        name, deployed = running.arguments["endpoint"], running.arguments["deployedModel"]
        try:
            self._bring_up(running, name, deployed)
        except ApiError:
            self._replicas.stop(name, deployed["id"])
            self._change(name, lambda endpoint: endpoint["_deploying"].pop(deployed["id"], None))
            running.set_metadata(deploymentStage="FAILED_TO_DEPLOY")
            raise
        running.set_metadata(deploymentStage="SUCCESSFULLY_DEPLOYED")
        endpoint = self._endpoints.find(name)
        return {"deployedModel": self._endpoints.shown_deployed(endpoint, deployed_of(endpoint, deployed["id"]) or {})}

    def _bring_up(self, running: RunningOperation, name: str, deployed: Document) -> None:
        for stage in STAGES_BEFORE_START:
            running.set_metadata(deploymentStage=stage)
            running.stage(name=stage)
        running.set_metadata(deploymentStage="STARTING_MODEL_SERVER")
        running.meet_fault("STARTING_MODEL_SERVER")
        try:
            self._replicas.resize(name, deployed, count=deployed["dedicatedResources"]["minReplicaCount"])
        except CANNOT_START as error:
            raise ApiError("FAILED_PRECONDITION", f"The container cannot be started: {error}") from error
        self._replicas.wait_healthy(name, deployed, check=running.check)
        running.set_metadata(deploymentStage="FINISHING_UP")
        running.stage(name="FINISHING_UP")

        def finish(endpoint: Document) -> None:
            if deployed_of(endpoint, deployed["id"]) is not None:  # begun before a restart, and done
                return
            endpoint["trafficSplit"] = split_after_deploy(
                endpoint["trafficSplit"] or {},
                running.arguments["trafficSplit"],
                new_id=deployed["id"],
                deployed=ids_of(endpoint),
            )
            endpoint["_deploying"].pop(deployed["id"], None)
            endpoint["deployedModels"].append({**deployed, "createTime": now()})

        self._change(name, finish)

    def start_undeploy(self, name: str, body: Document) -> Document:
        deployed_id = str(body.get("deployedModelId") or "")
        with self._cloud.store.transaction():
            endpoint = self._endpoints.find(name)
            self._check_free(endpoint, deployed_id)
            endpoint["trafficSplit"] = _split_without(endpoint, deployed_id, body.get("trafficSplit") or {})
            endpoint["_changing"][deployed_id] = "undeployModel"
            self._cloud.store.put(name, kind="endpoint", document=endpoint)
            return self._start("undeployModel", name, {"deployedModelId": deployed_id}, "UndeployModel", {})

    def run_undeploy(self, running: RunningOperation) -> Document:
        """The traffic went with the request; now the containers end what they are at, and go."""
        name, deployed_id = running.arguments["endpoint"], running.arguments["deployedModelId"]
        try:
            running.stage(name="UNDEPLOYING")
            self._replicas.stop(name, deployed_id)
        except ApiError:
            self._change(name, lambda endpoint: endpoint["_changing"].pop(deployed_id, None))
            raise

        def finish(endpoint: Document) -> None:
            endpoint["_changing"].pop(deployed_id, None)
            endpoint["deployedModels"] = [one for one in endpoint["deployedModels"] if one["id"] != deployed_id]

        self._change(name, finish)
        return {}

    def start_mutate(self, name: str, body: Document, mask: list[str]) -> Document:
        wanted: Document = body.get("deployedModel") or {}
        deployed_id = str(wanted.get("id") or "")
        wrong = [path for path in mask if path not in MUTABLE]
        if wrong or not mask:
            raise invalid(
                f"update_mask must name fields that can be mutated ({', '.join(MUTABLE)}), got [{', '.join(mask)}]. "
                "Anything else needs a new DeployedModel."
            )
        with self._cloud.store.transaction():
            endpoint = self._endpoints.find(name)
            changed = _mutated(self._check_free(endpoint, deployed_id), wanted, mask)
            endpoint["_changing"][deployed_id] = "mutateDeployedModel"
            self._cloud.store.put(name, kind="endpoint", document=endpoint)
            return self._start("mutateDeployedModel", name, {"deployedModel": changed}, "MutateDeployedModel", {})

    def run_mutate(self, running: RunningOperation) -> Document:
        name, changed = running.arguments["endpoint"], running.arguments["deployedModel"]
        before = deployed_of(self._endpoints.find(name), changed["id"]) or changed

        def finish(endpoint: Document) -> None:
            endpoint["_changing"].pop(changed["id"], None)
            endpoint["deployedModels"] = [
                changed if one["id"] == changed["id"] else one for one in endpoint["deployedModels"]
            ]

        try:
            running.stage(name="MUTATING")
            self._replicas.resize(name, changed, count=changed["dedicatedResources"]["minReplicaCount"])
            self._replicas.wait_healthy(name, changed, check=running.check)
        except ApiError:
            self._replicas.resize(name, before, count=before["dedicatedResources"]["minReplicaCount"])
            self._change(name, lambda endpoint: endpoint["_changing"].pop(changed["id"], None))
            raise
        self._change(name, finish)
        return {"deployedModel": self._endpoints.shown_deployed(self._endpoints.find(name), changed)}

    def start_all(self) -> None:
        """After a restart, what was deployed runs again; one that cannot does not stop the others."""
        for endpoint in self._endpoints.all():
            for deployed in endpoint["deployedModels"]:
                count = deployed["dedicatedResources"]["minReplicaCount"]
                try:
                    self._replicas.resize(endpoint["name"], deployed, count=count)
                except CANNOT_START as error:
                    logger.error("%s: DeployedModel %s cannot be started: %s", endpoint["name"], deployed["id"], error)

    def _check_free(self, endpoint: Document, deployed_id: str) -> Document:
        """The deployed model, when nothing else is being done to it."""
        deployed = deployed_of(endpoint, deployed_id)
        if deployed is None:
            raise not_found(f"{self._shown(endpoint['name'])}/deployedModels/{deployed_id}")
        busy = endpoint["_changing"].get(deployed_id)
        if busy:
            raise ApiError(
                "FAILED_PRECONDITION", f"DeployedModel {deployed_id} already has a running {busy} operation."
            )
        return deployed

    def _start(self, work: str, name: str, arguments: Document, kind: str, metadata: Document) -> Document:
        return self._cloud.operations.start(
            work,
            prefix=name,
            arguments={"endpoint": name, **arguments},
            metadata={"@type": f"type.googleapis.com/{V1}.{kind}OperationMetadata", "genericMetadata": {}, **metadata},
            response_type=f"type.googleapis.com/{V1}.{kind}Response",
            cancellable=False,
        )

    def _change(self, name: str, change: Any) -> None:
        self._cloud.store.update(name, change)

    def _shown(self, name: str) -> str:
        return self._cloud.projects.numbered(name)


def _split_without(endpoint: Document, deployed_id: str, wanted: Document) -> dict[str, int]:
    """The split once the model is gone. Raises FAILED_PRECONDITION when it still has traffic that nobody takes over."""
    old = endpoint["trafficSplit"] or {}
    others = [one for one in ids_of(endpoint) if one != deployed_id]
    if wanted:
        return checked_split(
            {key: share for key, share in wanted.items() if key != deployed_id or share}, deployed=others
        )
    if old.get(deployed_id) and others:
        raise ApiError(
            "FAILED_PRECONDITION",
            f"DeployedModel {deployed_id} still has {old[deployed_id]} % of the traffic: give a traffic_split without "
            "it, or move its traffic to another DeployedModel first.",
        )
    return {key: share for key, share in old.items() if key != deployed_id}


def _mutated(deployed: Document, wanted: Document, mask: list[str]) -> Document:
    """The deployed model with the masked fields taken from *wanted*, checked as a new one is."""
    resources = dict(deployed["dedicatedResources"])
    given = wanted.get("dedicatedResources") or {}
    changed = {**deployed, "dedicatedResources": resources}
    for path in mask:
        holder, _, field = path.rpartition(".")
        if holder:
            resources[field] = given.get(field)
        else:
            changed[field] = wanted.get(field)
    resources |= checked_replicas(resources)
    changed["dedicatedResources"] = {key: value for key, value in resources.items() if value}
    return changed
