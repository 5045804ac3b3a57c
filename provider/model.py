"""`vertex_model`: a model in the Vertex AI registry, and its versions.

A change of the container or of the artifact uploads a new version in place; names, labels and
aliases are patched. Destroying deletes the versions made here, and the model with the last one.
Source: Vertex AI REST v1, projects.locations.models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from provider import container_spec, duration
from provider.api import Api, ApiError, JsonObject
from provider.model_schema import SCHEMA
from provider.names import location_of, same, split_model
from provider.operations import retry_precondition, wait
from provider.progress import Progress
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import Schema
from tfplugin.values import UNKNOWN, State, is_known

CREATE_TIMEOUT, DELETE_TIMEOUT = "30m", "15m"
VERSIONED = ("container_spec", "artifact_uri")
COMPUTED_BY_UPLOAD = ("version_id", "version_name", "create_time", "operation", "versions")


@dataclass
class Model:
    """The resource type."""

    api: Api
    type_name: str = "vertex_model"
    schema: Schema = field(default=SCHEMA)

    def validate(self, config: State) -> Sequence[Problem]:
        return [*duration.problems(config), *container_spec.problems(config["container_spec"]), *_problems(config)]

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        for name, default in (("project", self.api.settings.project), ("location", self.api.settings.region)):
            if planned[name] is UNKNOWN and config[name] is None:
                planned[name] = default
        if prior is None:
            if is_known([planned["model_id"], planned["project"], planned["location"]]):
                planned["id"] = planned["name"] = _name(planned)
            return planned
        if any(prior[name] != planned[name] for name in VERSIONED):
            return planned | dict.fromkeys(COMPUTED_BY_UPLOAD, UNKNOWN)
        return planned

    def create(self, context: Context, planned: State) -> State:
        parent = None
        if isinstance(planned["model_id"], str):
            # A model of this id may be left from a create that was killed, or have versions of others.
            found = self.api.find("aiplatform", f"/v1/{_name(planned)}", stop=context.stop, region=planned["location"])
            parent = None if found is None else _name(planned)
        return self._upload(context, planned, parent=parent, versions=[])

    def read(self, context: Context, state: State) -> State | None:
        region = location_of(state["id"])
        path = f"/v1/{state['id']}@{state['version_id'] or 'default'}"
        found = self.api.find("aiplatform", path, stop=context.stop, region=region)
        if found is None:
            return None
        return _seen(found, state)

    def update(self, context: Context, prior: State, planned: State) -> State:
        if any(prior[name] != planned[name] for name in VERSIONED):
            planned = self._upload(context, planned, parent=prior["id"], versions=prior["versions"] or [])
        self._patch(context, prior, planned)
        self._move_aliases(context, prior, planned)
        return planned

    def delete(self, context: Context, state: State) -> None:
        region = location_of(state["id"])
        progress = Progress(self.type_name, state["display_name"])
        timeout_s = duration.timeout(state, "delete", DELETE_TIMEOUT)
        listed = self._versions(context, state["id"], region)
        ours = set(state["versions"] or []) | {state["version_id"]}
        if set(listed) <= ours:
            paths = [f"/v1/{state['id']}"] if listed else []
        else:
            paths = [f"/v1/{state['id']}@{version}:deleteVersion" for version in listed if version in ours]
        for path in paths:
            progress.phase(f"DELETING {path.removeprefix('/v1/')}")
            operation = retry_precondition(
                self.api, "DELETE", path, stop=context.stop, region=region, timeout_s=timeout_s
            )
            if operation is not None:
                wait(self.api, operation, timeout_s=timeout_s, progress=progress, stop=context.stop, region=region)

    def import_(self, context: Context, identifier: str) -> State:
        """identifier: `projects/P/locations/L/models/M`, or with `@VERSION`."""
        name, version = split_model(identifier)
        path = f"/v1/{name}@{version or 'default'}"
        found = self.api.find("aiplatform", path, stop=context.stop, region=location_of(name))
        if found is None:
            raise PluginError("Nothing to import", f"{identifier!r} does not exist.")
        parts = name.split("/")
        state = self.schema.body.empty() | {"id": name, "name": name, "project": parts[1], "location": parts[3]}
        state |= {"model_id": parts[5], "artifact_uri": found.get("artifactUri")}
        if "containerSpec" in found:
            state["container_spec"] = [container_spec.from_api(found["containerSpec"])]
        state["version_id"] = str(found["versionId"])
        state["versions"] = [state["version_id"]]
        return _seen(found, state)

    def _upload(self, context: Context, planned: State, *, parent: str | None, versions: list[str]) -> State:
        region = planned["location"]
        progress = Progress(self.type_name, planned["display_name"])
        body: JsonObject = {"model": _model_to_api(planned)}
        if parent is not None:
            body["parentModel"] = parent
        elif isinstance(planned["model_id"], str):
            body["modelId"] = planned["model_id"]
        progress.phase("UPLOADING", "a new version" if parent else "")
        collection = f"/v1/projects/{planned['project']}/locations/{region}/models:upload"
        operation = self.api.call("aiplatform", "POST", collection, stop=context.stop, region=region, json=body)
        known = planned | {"operation": operation["name"]}
        try:
            response = wait(
                self.api,
                operation,
                timeout_s=duration.timeout(planned, "create", CREATE_TIMEOUT),
                progress=progress,
                stop=context.stop,
                region=region,
            )
        except Stopped as stopped:
            raise PluginError(
                "Interrupted while the model is uploaded",
                f"Google goes on with operation {operation['name']}. Apply again.",
            ) from stopped
        progress.phase("UPLOADED", f"version {response.get('modelVersionId')}")
        name, version = str(response["model"]).partition("@")[0], str(response.get("modelVersionId", "1"))
        name = known["id"] if isinstance(known["id"], str) and same(known["id"], name) else name
        found = self.api.get("aiplatform", f"/v1/{name}@{version}", stop=context.stop, region=region)
        known |= {
            "id": name,
            "name": name,
            "model_id": name.rpartition("/")[2],
            "version_id": version,
            "version_name": f"{name}@{version}",
            "create_time": found.get("versionCreateTime") or found.get("createTime"),
            "versions": [*versions, version],
        }
        return known

    def _patch(self, context: Context, prior: State, planned: State) -> None:
        fields = {"display_name": "displayName", "description": "description", "labels": "labels"}
        changed = [name for name in fields if prior[name] != planned[name]]
        if changed:
            body = {fields[name]: planned[name] or ({} if name == "labels" else "") for name in changed}
            self.api.call(
                "aiplatform",
                "PATCH",
                f"/v1/{planned['id']}",
                stop=context.stop,
                region=planned["location"],
                params={"updateMask": ",".join(fields[name] for name in changed)},
                json=body,
            )
        if prior["version_description"] != planned["version_description"]:
            self.api.call(
                "aiplatform",
                "PATCH",
                f"/v1/{planned['version_name']}",
                stop=context.stop,
                region=planned["location"],
                params={"updateMask": "versionDescription"},
                json={"versionDescription": planned["version_description"] or ""},
            )

    def _move_aliases(self, context: Context, prior: State, planned: State) -> None:
        wanted, held = set(planned["version_aliases"] or []), set(prior["version_aliases"] or [])
        if planned["version_id"] != prior["version_id"]:
            held = set()  # a new version has none of the old one's; giving moves them
        change = [*sorted(wanted - held), *(f"-{alias}" for alias in sorted(held - wanted))]
        if change:
            self.api.call(
                "aiplatform",
                "POST",
                f"/v1/{planned['version_name']}:mergeVersionAliases",
                stop=context.stop,
                region=planned["location"],
                json={"versionAliases": change},
            )

    def _versions(self, context: Context, name: str, region: str) -> list[str]:
        """The ids of all versions; empty when the model is gone."""
        try:
            found = self.api.get(
                "aiplatform", f"/v1/{name}:listVersions", stop=context.stop, region=region, params={"pageSize": "100"}
            )
        except ApiError as error:
            if error.status == 404:
                return []
            raise
        return [str(one["versionId"]) for one in found.get("models", [])]


def _name(planned: State) -> str:
    return f"projects/{planned['project']}/locations/{planned['location']}/models/{planned['model_id']}"


def _model_to_api(planned: State) -> JsonObject:
    body: JsonObject = {
        "displayName": planned["display_name"],
        "containerSpec": container_spec.to_api(planned["container_spec"][0]),
    }
    names = {
        "description": "description",
        "labels": "labels",
        "version_aliases": "versionAliases",
        "version_description": "versionDescription",
        "artifact_uri": "artifactUri",
    }
    return body | {api: planned[name] for name, api in names.items() if planned[name]}


def _seen(found: JsonObject, state: State) -> State:
    """The state with what Google shows now. An absent field equals an empty one."""
    seen = dict(state)
    for name, api in (("display_name", "displayName"), ("description", "description")):
        seen[name] = found.get(api) or (state[name] if not state[name] else None)
    seen["version_description"] = found.get("versionDescription") or state["version_description"] or None
    seen["labels"] = found.get("labels") or (state["labels"] if not state["labels"] else None)
    aliases = [alias for alias in found.get("versionAliases", []) if alias != "default"]
    held = state["version_aliases"] or []
    wanted = [alias for alias in held if alias in aliases or alias == "default"]
    extra = sorted(set(aliases) - set(held))
    seen["version_aliases"] = [*wanted, *extra] or (state["version_aliases"] if not held else None)
    version = str(found.get("versionId", state["version_id"]))
    seen |= {"version_id": version, "version_name": f"{state['id']}@{version}"}
    seen["create_time"] = found.get("versionCreateTime") or found.get("createTime") or state["create_time"]
    return seen


def _problems(config: State) -> list[Problem]:
    found: list[Problem] = []
    display, model_id = config["display_name"], config["model_id"]
    if isinstance(display, str) and not 1 <= len(display) <= 128:
        found.append(Problem("display_name is not allowed", f"Got {len(display)} characters; allowed are 1 to 128."))
    if isinstance(model_id, str) and not _is_model_id(model_id):
        allowed = "at most 63 of a-z, 0-9, _ and -, not beginning with a digit or -"
        found.append(Problem("model_id is not allowed", f"Got {model_id!r}; allowed are {allowed}.", ("model_id",)))
    labels: Any = config["labels"]
    for key, value in labels.items() if isinstance(labels, dict) else ():
        if not _is_label(key) or (isinstance(value, str) and value and not _is_label(value)):
            text = f"Got {key!r} = {value!r}; allowed are at most 63 of a-z, 0-9, _ and -."
            found.append(Problem("A label is not allowed", text, ("labels",)))
    return found


def _is_model_id(text: str) -> bool:
    return 1 <= len(text) <= 63 and _is_label(text) and not text[0].isdigit() and text[0] != "-"


def _is_label(text: str) -> bool:
    return 1 <= len(text) <= 63 and all(one.islower() or one.isdigit() or one in "_-" for one in text)
