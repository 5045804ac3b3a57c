"""`vertex_model`: a model in the Vertex AI registry, and its versions.

A change of the container or of the artifact uploads a new version in place; names, labels and
aliases are patched. Destroying deletes the versions made here, and the model with the last one.
An upload that was cut short is kept as a state without `version_id`: the next plan takes it up. One whose apply was
killed is found by its request's alias.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from provider import duration
from provider.api import Api, JsonObject
from provider.model import container_spec
from provider.model.document import PATCHED, derived_model_id, name_of, patch_of, seen, without_version
from provider.model.registry import Registry, registry_of
from provider.model.schema import SCHEMA, problems
from provider.model.uploads import Uploads
from provider.names import split_model
from provider.operations import OperationFailed, cut_short, response_of
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import Schema
from tfplugin.values import UNKNOWN, State, is_known

DELETE_TIMEOUT = "15m"
VERSIONED = ("container_spec", "artifact_uri")
COMPUTED_BY_UPLOAD = ("version_id", "version_name", "create_time", "operation", "versions")


@dataclass
class Model:
    """The resource type."""

    api: Api
    type_name: str = "vertex_model"
    schema: Schema = field(default=SCHEMA)
    made: set[str] = field(default_factory=set)  # names of those that this run created

    def validate(self, config: State) -> Sequence[Problem]:
        return [*duration.problems(config), *container_spec.problems(config["container_spec"]), *problems(config)]

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        for name, default in (("project", self.api.settings.project), ("location", self.api.settings.region)):
            if planned[name] is UNKNOWN and config[name] is None:
                planned[name] = default
        for problem in container_spec.image_region_problems(config["container_spec"], planned["location"]):
            raise PluginError(problem.summary, problem.detail, path=problem.path)
        if prior is None:
            _refuse_number(planned["model_id"])
            if config["model_id"] is None and is_known(planned["display_name"]):
                planned["model_id"] = derived_model_id(planned["display_name"])
            if is_known([planned["model_id"], planned["project"], planned["location"]]):
                planned["id"] = planned["name"] = name_of(planned)
            return planned
        if prior["version_id"] is None or _needs_version(prior, planned):
            return planned | dict.fromkeys(COMPUTED_BY_UPLOAD, UNKNOWN)
        return planned

    def create(self, context: Context, planned: State) -> State:
        if planned["model_id"] is UNKNOWN:  # the name it is made of was not known at plan
            planned |= {"model_id": derived_model_id(planned["display_name"])}
        name = name_of(planned)
        planned |= {"id": name, "name": name}
        self._claim(name)
        uploads = Uploads(registry_of(self.api, context.stop, name), self.type_name, name)
        # A model of this id may be left from a create that was killed, or have versions of others.
        twin = uploads.earlier(planned, None)
        if twin is not None:
            return uploads.adopt(planned, twin)
        is_new = not uploads.registry.versions(name)
        operation, progress = uploads.begin(planned, None, is_new=is_new)
        known = planned | {"operation": operation["name"], "versions": []}
        try:
            made = uploads.finish(known, operation, progress)
            if is_new:  # the labels that an upload has are the model's then
                uploads.patch_labels(None, made)
            else:  # the version is ours now, and so is the rest of the model
                uploads.patch_model(uploads.registry.find(name) or {}, made)
        except OperationFailed:
            raise
        except (PluginError, Stopped) as error:
            # A warning, for an error would taint, and Terraform would upload again what only has to be waited for.
            context.warn(f"{cut_short(error)}: the model's upload goes on", _goes_on(operation))
            return known | {"version_id": None}
        return made

    def _claim(self, name: str) -> None:
        if name in self.made:
            raise PluginError(
                f"Two resources make the model {name}",
                "They have the same model_id, or none and the same display_name. Set model_id of one of them.",
                path=("model_id",),
            )
        self.made.add(name)

    def read(self, context: Context, state: State) -> State | None:
        registry = registry_of(self.api, context.stop, state["id"])
        if state["version_id"] is None:
            return self._read_unfinished(context, registry, state)
        uploads = self._uploads(registry, state)
        found = registry.find(f"{state['id']}@{state['version_id']}")
        if found is not None:
            now = seen(found, state)
            is_anew = state["create_time"] not in (None, now["create_time"])  # by others, under the same number
            return now | {"versions": uploads.left(state | {"versions": []} if is_anew else state)}
        left = uploads.left(state)
        return without_version(state, set(left)) if left else None

    def _read_unfinished(self, context: Context, registry: Registry, state: State) -> State | None:
        operation = registry.operation(state["operation"]) if state["operation"] else None
        if operation is not None and not operation.get("done"):
            return state
        if operation is not None and "error" not in operation:
            return self.read(context, self._uploads(registry, state).filled(state, response_of(operation)))
        said = "is not known any more" if operation is None else f"failed: {operation['error'].get('message')}"
        context.warn("An upload that an earlier apply began made no version", f"Operation {state['operation']} {said}")
        return without_version(state, set(state["versions"])) if state["versions"] else None

    def update(self, context: Context, prior: State, planned: State) -> State:
        uploads = self._uploads(registry_of(self.api, context.stop, prior["id"]), prior)
        if prior["version_id"] is None:
            prior = uploads.finish(prior, {"name": prior["operation"]}, uploads.progress(prior))
        if _needs_version(prior, planned):
            planned = self._new_version(context, uploads, prior, planned)
        else:
            planned |= {name: prior[name] for name in COMPUTED_BY_UPLOAD}
        try:
            uploads.registry.patch(planned["id"], patch_of(prior, planned))
            if planned["version_id"] == prior["version_id"]:  # another has what it was uploaded with
                uploads.patch_version(prior, planned)
        except PluginError as error:
            error.state = planned | {name: prior[name] for name in PATCHED}
            raise
        return planned

    def _new_version(self, context: Context, uploads: Uploads, prior: State, planned: State) -> State:
        ours = {"versions": prior["versions"] or []}
        twin = uploads.earlier(planned | ours, prior)
        if twin is not None:  # an apply that was killed has uploaded it
            return uploads.adopt(planned | ours, twin)
        operation, progress = uploads.begin(planned, prior, is_new=False)
        known = planned | ours | {name: prior[name] for name in PATCHED}
        known |= {"operation": operation["name"], "version_id": None}
        try:
            made = uploads.finish(known, operation, progress)
        except OperationFailed:
            raise
        except (PluginError, Stopped) as error:
            detail = error.detail if isinstance(error, PluginError) else ""
            raise PluginError(
                f"{cut_short(error)}: the upload of a new version goes on",
                f"{detail}\n{_goes_on(operation)}".strip(),
                state=known,
            ) from error
        return made | {name: planned[name] for name in PATCHED}

    def delete(self, context: Context, state: State) -> None:
        registry = registry_of(self.api, context.stop, state["id"])
        uploads = self._uploads(registry, state)
        progress, timeout_s = uploads.progress(state), duration.timeout(state, "delete", DELETE_TIMEOUT)
        # An upload cannot be taken back while it runs; what it makes must not stay behind.
        running = registry.operation(state["operation"]) if state["version_id"] is None else None
        if running is not None:
            with contextlib.suppress(OperationFailed):
                state = uploads.filled(state, registry.wait(running, timeout_s=timeout_s, progress=progress))
        uploads.run_out(state)
        doomed = {*(state["versions"] or ()), *uploads.left(state), state["version_id"]}
        registry.delete_versions(uploads.name, doomed, timeout_s=timeout_s, progress=progress)

    def import_(self, context: Context, identifier: str) -> State:
        """identifier: `projects/P/locations/L/models/M`, or with `@VERSION`."""
        name, version = split_model(identifier)
        found = registry_of(self.api, context.stop, name).find(f"{name}@{version or 'default'}")
        if found is None:
            raise PluginError("Nothing to import", f"{identifier!r} does not exist.")
        _, project, _, location, _, model_id = name.split("/")
        state = self.schema.body.empty() | {"id": name, "name": name, "project": project, "location": location}
        state |= {"model_id": model_id, "artifact_uri": found.get("artifactUri")}
        if "containerSpec" in found:
            state["container_spec"] = [container_spec.from_api(found["containerSpec"])]
        state["version_id"] = str(found["versionId"])
        state["versions"] = [state["version_id"]]
        return seen(found, state)

    def _uploads(self, registry: Registry, state: State) -> Uploads:
        return Uploads(registry, self.type_name, state["id"])


def _refuse_number(model_id: Any) -> None:
    """A number may be the id of a model that was imported, never of a new one."""
    if isinstance(model_id, str) and model_id.isdigit():
        raise PluginError(
            "model_id is not allowed",
            f"Got {model_id!r}; allowed is an id that begins with a letter for a new model: numbers are Google's own "
            "choice. Leave it out.",
            path=("model_id",),
        )


def _needs_version(prior: State, planned: State) -> bool:
    return any(prior[name] != planned[name] for name in VERSIONED)


def _goes_on(operation: JsonObject) -> str:
    return f"Google goes on with operation {operation['name']}. Apply again: the next apply takes its result."
