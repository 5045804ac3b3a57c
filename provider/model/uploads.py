"""A planned version of a model, uploaded: begun, waited for, or found where an earlier apply began it.

Knows states and the registry; knows nothing of Terraform's calls, nor of what an error leaves in state.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from provider import duration
from provider.api import JsonObject
from provider.failures.operation import asking
from provider.model.aliases import aliases_of, made_here
from provider.model.document import (
    PATCHED,
    names_of,
    patch_of,
    request_alias,
    to_api,
    twin_of,
    version_labels_of,
)
from provider.model.registry import DEFAULT_ALIAS, Registry
from provider.operations import OperationFailed
from provider.progress.phases import Progress
from tfplugin.values import State

UPLOAD_TIMEOUT = "30m"


@dataclass(frozen=True)
class Uploads:
    """The uploads to one model. name: its full name. resource: the resource type, for the progress."""

    registry: Registry
    resource: str
    name: str

    def progress(self, state: State, asked: str = "") -> Progress:
        return Progress(self.resource, str(state["display_name"]), asked=asked)

    def earlier(self, planned: State, prior: State | None) -> JsonObject | None:
        """The planned version, when it is there, or comes with an upload that runs: waited for."""
        before, known = (None, []) if prior is None else (prior["version_id"], prior["versions"] or [])
        alias = request_alias(planned, before)
        twin = twin_of(planned, self.registry.versions(self.name), alias, known=known)
        if twin is not None or not self.run_out(planned):
            return twin
        return twin_of(planned, self.registry.versions(self.name), alias, known=known)

    def run_out(self, state: State) -> bool:
        """Waits for whatever is being uploaded to the model now; False when nothing is."""
        progress, running = self.progress(state), self.registry.uploads(self.name)
        for operation in running:
            progress.phase("JOINED", "an earlier apply began an upload")
            with contextlib.suppress(OperationFailed):
                self.registry.wait(operation, timeout_s=upload_timeout_s(state), progress=progress)
        return bool(running)

    def adopt(self, planned: State, twin: JsonObject) -> State:
        """The state of a version that is there already, brought in line with the configuration."""
        self.progress(planned).phase("ADOPTED", f"version {twin['versionId']} has this container: no upload")
        response = {"model": self.name, "modelVersionId": str(twin["versionId"])}
        made = self.filled(planned | {"operation": None}, response)
        self.patch_model(twin, planned)
        held: State = {"version_description": twin.get("versionDescription")}
        held["version_labels"] = version_labels_of(twin, planned)
        held["version_aliases"] = [one for one in aliases_of(twin) if one != DEFAULT_ALIAS]
        self.patch_version(held, made)
        return made

    def patch_model(self, shown: JsonObject, planned: State) -> None:
        """Brings the model's own fields to what is planned. shown: the model, or a version of it, as Google has it."""
        self.registry.patch(self.name, patch_of({name: shown.get(api) for name, api in PATCHED.items()}, planned))

    def patch_version(self, held: State, planned: State) -> None:
        """Brings description, labels and aliases of the planned version to what is planned. held: as they are."""
        if (held["version_description"] or None) != (planned["version_description"] or None):
            fields = {"versionDescription": planned["version_description"] or ""}
            self.registry.patch(planned["version_name"], fields)
        self.patch_labels(held["version_labels"], planned)
        wanted, now = set(planned["version_aliases"] or []), set(held["version_aliases"] or [])
        self.registry.move_aliases(planned["version_name"], give=list(wanted - now), take=list(now - wanted))

    def patch_labels(self, held: dict[str, str] | None, planned: State) -> None:
        """Brings the version's own labels to what is planned. held: as they are."""
        if (held or {}) != (planned["version_labels"] or {}):
            self.registry.patch(planned["version_name"], {"labels": planned["version_labels"] or {}})

    def begin(self, planned: State, prior: State | None, *, is_new: bool) -> tuple[JsonObject, Progress]:
        """Starts the upload. is_new: of a new model, rather than of a version of one that is there."""
        progress = self.progress(planned, asked=_asked(planned, None if is_new else self.name))
        alias = request_alias(planned, None if prior is None else prior["version_id"])
        body: JsonObject = {"model": to_api(planned, alias=alias, is_version=not is_new)}
        body |= {"modelId": planned["model_id"]} if is_new else {"parentModel": self.name}
        progress.phase("UPLOADING", "" if is_new else "a new version")
        parent = self.name.partition("/models/")[0]
        with asking(progress, parent if is_new else self.name):
            return self.registry.start_upload(parent, body), progress

    def finish(self, known: State, operation: JsonObject, progress: Progress) -> State:
        """The state once the upload is done. May raise OperationFailed, PluginError or Stopped."""
        response = self.registry.wait(operation, timeout_s=upload_timeout_s(known), progress=progress)
        progress.phase("UPLOADED", f"version {response.get('modelVersionId')}")
        return self.filled(known, response)

    def filled(self, known: State, response: JsonObject) -> State:
        """The state with what an upload's response tells."""
        version = str(response.get("modelVersionId") or str(response["model"]).partition("@")[2] or "1")
        names = names_of(known, str(response["model"]).partition("@")[0])
        version_name = f"{names['id']}@{version}"
        found = self.registry.find(version_name) or {}
        made: State = {"version_id": version, "version_name": version_name}
        made["create_time"] = found.get("versionCreateTime") or found.get("createTime")
        ours = {*_held(known), *made_here(self.registry.versions(self.name)), version}
        return known | names | made | {"versions": sorted(ours, key=int)}

    def left(self, state: State) -> list[str]:
        """Ids of the versions that are there and are this resource's: the state's, and what killed applies uploaded."""
        found = self.registry.versions(self.name)
        ours = {*_held(state), *made_here(found)}
        return sorted((str(one["versionId"]) for one in found if str(one["versionId"]) in ours), key=int)


def upload_timeout_s(state: State) -> float:
    """Of a first version `timeouts.create`, of a later one `timeouts.update`."""
    return duration.timeout(state, "update" if _held(state) else "create", UPLOAD_TIMEOUT)


def _asked(planned: State, parent: str | None) -> str:
    name = planned["model_id"] if isinstance(planned["model_id"], str) else planned["display_name"]
    what = f"a new version of {parent}" if parent else f"model {name}"
    return f"upload {planned['container_spec'][0]['image_uri']} as {what} in {planned['location']}"


def _held(state: State) -> list[str]:
    """The versions that a state has; a planned one may not know them."""
    return state["versions"] if isinstance(state["versions"], list) else []
