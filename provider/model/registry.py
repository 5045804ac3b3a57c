"""Vertex AI's model registry: versions uploaded, listed, patched and deleted.

Knows the REST calls and their bodies; knows nothing of Terraform's states.
Source: Vertex AI REST v1, projects.locations.models.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from provider.api import Api, ApiError, JsonObject
from provider.names import location_of
from provider.operations import retry_precondition, wait
from provider.progress.phases import Progress

DEFAULT_ALIAS = "default"


@dataclass(frozen=True)
class Registry:
    """The models of one region. Names are full: `projects/P/locations/L/models/M`, a version `…@V`."""

    api: Api
    stop: threading.Event
    region: str

    def find(self, name: str) -> JsonObject | None:
        """A model's default version, or the version or alias after `@`; None when it does not exist."""
        return self.api.find("aiplatform", f"/v1/{name}", stop=self.stop, region=self.region)

    def start_upload(self, parent: str, body: JsonObject) -> JsonObject:
        """The operation. parent: `projects/P/locations/L`."""
        return self._call("POST", f"{parent}/models:upload", body)

    def operation(self, name: str) -> JsonObject | None:
        return self.find(name)

    def wait(self, operation: JsonObject, *, timeout_s: float, progress: Progress) -> JsonObject:
        """The operation's response. Raises OperationFailed, OperationTimedOut, ApiError or Stopped."""
        return wait(self.api, operation, timeout_s=timeout_s, progress=progress, stop=self.stop, region=self.region)

    def uploads(self, name: str) -> list[JsonObject]:
        """The operations that upload to a model right now, be it its first version."""
        page = self.find(f"{name}/operations") or {}
        return [
            dict(one)
            for one in page.get("operations", [])
            if not one.get("done") and "UploadModelOperation" in one.get("metadata", {}).get("@type", "")
        ]

    def patch(self, name: str, fields: JsonObject) -> None:
        """A model's display name, description and labels; or a version's description."""
        if fields:
            self._call("PATCH", name, fields, params={"updateMask": ",".join(fields)})

    def move_aliases(self, version_name: str, *, give: list[str], take: list[str]) -> None:
        """Gives aliases to a version, from whichever had them, and takes others away."""
        change = [*sorted(give), *(f"-{alias}" for alias in sorted(take))]
        if change:
            self._call("POST", f"{version_name}:mergeVersionAliases", {"versionAliases": change})

    def models(self, parent: str, wanted: str) -> list[JsonObject]:
        """Default versions of the models that a filter lets through. parent: `projects/P/locations/L`."""
        return self._pages(f"{parent}/models", {"filter": wanted} if wanted else {})

    def versions(self, name: str) -> list[JsonObject]:
        """Every version; empty when the model is gone."""
        try:
            return self._pages(f"{name}:listVersions", {})
        except ApiError as error:
            if error.status == 404:
                return []
            raise

    def _pages(self, path: str, params: dict[str, str]) -> list[JsonObject]:
        found: list[JsonObject] = []
        params = params | {"pageSize": "100"}
        while True:
            page = self.api.get("aiplatform", f"/v1/{path}", stop=self.stop, region=self.region, params=params)
            found += page.get("models", [])
            if not page.get("nextPageToken"):
                return found
            params = params | {"pageToken": page["nextPageToken"]}

    def delete_versions(self, name: str, doomed: set[str], *, timeout_s: float, progress: Progress) -> None:
        """Deletes these versions, and the model when no other is left. What is gone already is no error."""
        versions = self.versions(name)
        kept = [str(one["versionId"]) for one in versions if str(one["versionId"]) not in doomed]
        if versions and not kept:
            self._delete(name, timeout_s=timeout_s, progress=progress)
            return
        for one in versions:
            version = str(one["versionId"])
            if version in doomed:
                if DEFAULT_ALIAS in one.get("versionAliases", []):  # Google deletes no default version
                    self.move_aliases(f"{name}@{max(kept, key=int)}", give=[DEFAULT_ALIAS], take=[])
                self._delete(f"{name}@{version}:deleteVersion", timeout_s=timeout_s, progress=progress)

    def _delete(self, path: str, *, timeout_s: float, progress: Progress) -> None:
        progress.phase(f"DELETING {path}")
        operation = retry_precondition(
            self.api,
            "DELETE",
            f"/v1/{path}",
            stop=self.stop,
            region=self.region,
            timeout_s=timeout_s,
            progress=progress,
        )
        if operation is not None:
            self.wait(operation, timeout_s=timeout_s, progress=progress)

    def _call(self, method: str, path: str, body: JsonObject, *, params: dict[str, str] | None = None) -> JsonObject:
        return self.api.call(
            "aiplatform", method, f"/v1/{path}", stop=self.stop, region=self.region, json=body, params=params
        )


def registry_of(api: Api, stop: threading.Event, name: str) -> Registry:
    """The registry of the region in a full name."""
    return Registry(api, stop, location_of(name))
