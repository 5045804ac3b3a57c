"""A Vertex AI endpoint and what is deployed to it: deployed, changed, given traffic, undeployed.

Knows the REST calls and their bodies; knows nothing of Terraform's states.
Source: Vertex AI REST v1, projects.locations.endpoints.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from provider.api import Api, ApiError, JsonObject
from provider.deployed_model import traffic
from provider.names import location_of
from provider.operations import OperationFailed, retry_precondition, wait
from provider.progress.phases import Progress
from tfplugin.resource import PluginError
from tfplugin.values import State


@dataclass(frozen=True)
class Endpoint:
    """One endpoint, by its full name `projects/P/locations/L/endpoints/E`."""

    api: Api
    stop: threading.Event
    name: str

    @property
    def region(self) -> str:
        return location_of(self.name)

    @property
    def short_name(self) -> str:
        return self.name.rpartition("/")[2]

    def find(self) -> JsonObject | None:
        return self.api.find("aiplatform", f"/v1/{self.name}", stop=self.stop, region=self.region)

    def get(self) -> JsonObject:
        return self.api.get("aiplatform", f"/v1/{self.name}", stop=self.stop, region=self.region)

    def start_deploy(self, deployed: JsonObject, split: traffic.Split) -> JsonObject:
        """The operation. split: the endpoint's traffic afterwards, `"0"` being the new one; empty: as it was."""
        body = {"deployedModel": deployed, "trafficSplit": split}
        return self._call("POST", ":deployModel", body, is_repeatable="id" in deployed)

    def deployments(self) -> list[JsonObject]:
        """The operations that deploy to this endpoint right now."""
        return self._running("DeployModelOperationMetadata")

    def _running(self, kind: str) -> list[JsonObject]:
        path = f"/v1/{self.name}/operations"
        page = self.api.get("aiplatform", path, stop=self.stop, region=self.region)
        return [
            dict(one)
            for one in page.get("operations", [])
            if not one.get("done") and one.get("metadata", {}).get("@type", "").rpartition(".")[2] == kind
        ]

    def _run_out(self, kind: str, *, timeout_s: float, progress: Progress) -> bool:
        """Waits for what an earlier apply began; whether there was anything. Google takes no second one meanwhile."""
        running = self._running(kind)
        for operation in running:
            progress.phase("JOINED", "an earlier apply began it")
            with contextlib.suppress(OperationFailed):
                self.wait(operation, timeout_s=timeout_s, progress=progress)
        return bool(running)

    def settle_changes(self, *, timeout_s: float, progress: Progress) -> bool:
        """Waits for what is being changed by mutate; whether anything was."""
        return self._run_out("MutateDeployedModelOperationMetadata", timeout_s=timeout_s, progress=progress)

    def operation(self, name: str) -> JsonObject | None:
        return self.api.find("aiplatform", f"/v1/{name}", stop=self.stop, region=self.region)

    def wait(self, operation: JsonObject, *, timeout_s: float, progress: Progress) -> None:
        wait(self.api, operation, timeout_s=timeout_s, progress=progress, stop=self.stop, region=self.region)

    def mutate(self, deployed: JsonObject, mask: list[str], *, timeout_s: float, progress: Progress) -> None:
        body = {"deployedModel": deployed, "updateMask": ",".join(mask)}
        if not self._insist(":mutateDeployedModel", body, timeout_s=timeout_s, progress=progress):
            raise PluginError("The endpoint is gone", f"{self.name} does not exist any more. Plan again.")

    def undeploy(self, number: str, *, timeout_s: float, progress: Progress) -> None:
        """Moves what traffic it has to the others, and takes it down. Gone already is no error."""
        shown = self.find()
        if shown is not None and self._run_out(
            "UndeployModelOperationMetadata", timeout_s=timeout_s, progress=progress
        ):
            shown = self.find()
        if shown is None or deployed_of(shown, number) is None:
            return
        body: JsonObject = {"deployedModelId": number}
        rest = traffic.without(split_of(shown), number, ids_of(shown))
        if rest is not None:
            body["trafficSplit"] = rest
        self._insist(":undeployModel", body, timeout_s=timeout_s, progress=progress)
        after = self.find()
        if after is not None and deployed_of(after, number) is not None:
            raise PluginError(
                f"Deployed model {number} is still there after undeploying",
                f"{self.name} still lists it, and it still costs money. Apply again, or undeploy it by hand.",
            )

    def set_traffic(self, shown: JsonObject, number: str, percent: int, *, warn: Callable[[str, str], None]) -> None:
        """Gives a deployed model its share. shown: the endpoint as it is now."""
        split = split_of(shown)
        wanted = traffic.with_share(split, number, percent)
        if wanted.get(number, 0) != percent:
            warn(
                f"Deployed model {number} gets all traffic of {self.short_name}, not {percent} %",
                "Nobody else serves there. Deploy another model to share with, or set traffic_percent to 100.",
            )
        self.set_split(shown, wanted)

    def set_split(self, shown: JsonObject, wanted: traffic.Split) -> None:
        """Changes the endpoint's traffic, unless it is so already. shown: the endpoint as it is now."""
        if wanted != split_of(shown):
            mask = {"updateMask": "trafficSplit"}
            self._call("PATCH", "", {"trafficSplit": wanted}, params=mask, is_repeatable=True)

    def _insist(self, verb: str, body: JsonObject, *, timeout_s: float, progress: Progress) -> bool:
        """Calls, as soon as Google takes it, and waits. False when there is nothing to call it on."""
        operation = retry_precondition(
            self.api,
            "POST",
            f"/v1/{self.name}{verb}",
            stop=self.stop,
            region=self.region,
            timeout_s=timeout_s,
            progress=progress,
            json=body,
        )
        if operation is not None:
            self.wait(operation, timeout_s=timeout_s, progress=progress)
        return operation is not None

    def _call(self, method: str, verb: str, body: JsonObject, **options: Any) -> JsonObject:
        path = f"/v1/{self.name}{verb}"
        return self.api.call("aiplatform", method, path, stop=self.stop, region=self.region, json=body, **options)


def deployed_of(shown: JsonObject, number: str) -> JsonObject | None:
    """A deployed model of an endpoint."""
    return next((one for one in shown.get("deployedModels", []) if str(one["id"]) == number), None)


def ids_of(shown: JsonObject) -> list[str]:
    """Ids of what is deployed, the oldest first."""
    return [str(one["id"]) for one in shown.get("deployedModels", [])]


def split_of(shown: JsonObject) -> traffic.Split:
    return {str(key): int(share) for key, share in shown.get("trafficSplit", {}).items()}


def addresses(api: Api, shown: JsonObject) -> State:
    """Where predictions go: an endpoint's own domain, or the region's shared one."""
    domain = shown.get("dedicatedEndpointDns") or None
    region = location_of(shown["name"])
    host = f"{api.scheme}://{domain}" if domain else api.host("aiplatform", region=region)
    return {"dedicated_endpoint_dns": domain, "predict_url": f"{host}/v1/{shown['name']}:predict"}


def is_taken(error: ApiError, number: str) -> bool:
    """Whether a deployment was refused because its id is deployed, or being deployed."""
    return error.status == 409 or (error.status == 400 and number in error.message)
