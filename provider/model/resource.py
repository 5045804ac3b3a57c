"""`vertex_model`: a model in the Vertex AI registry, and its versions.

A change of the container or of the artifact uploads a new version in place; names, labels and
aliases are patched. Destroying deletes the versions made here, and the model with the last one.
An upload that was cut short is kept as a state without `version_id`: the next plan takes it up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from provider import duration
from provider.api import Api, JsonObject
from provider.failures.operation import asking
from provider.model import container_spec
from provider.model.document import (
    PATCHED,
    derived_model_id,
    name_of,
    names_of,
    patch_of,
    seen,
    to_api,
    without_version,
)
from provider.model.registry import Registry, registry_of
from provider.model.schema import SCHEMA, problems
from provider.names import split_model
from provider.operations import OperationFailed, cut_short, response_of, wait
from provider.progress.phases import Progress
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import Schema
from tfplugin.values import UNKNOWN, State, is_known

UPLOAD_TIMEOUT, DELETE_TIMEOUT = "30m", "15m"
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
            if config["model_id"] is None and is_known(planned["display_name"]):
                planned["model_id"] = derived_model_id(planned["display_name"])
            if is_known([planned["model_id"], planned["project"], planned["location"]]):
                planned["id"] = planned["name"] = name_of(planned)
            return planned
        if prior["version_id"] is None or _needs_version(prior, planned):
            return planned | dict.fromkeys(COMPUTED_BY_UPLOAD, UNKNOWN)
        return planned

    def create(self, context: Context, planned: State) -> State:
        registry = Registry(self.api, context.stop, planned["location"])
        # A model of this id may be left from a create that was killed, or have versions of others.
        name = name_of(planned)
        self._claim(name)
        left = registry.versions(name)
        twin = _twin(left, planned) or self._made_meanwhile(context, registry, planned, name)
        if twin is not None:
            return self._adopted(registry, planned, name, twin)
        operation, progress = self._start(registry, planned, name if left else None)
        known = planned | names_of(planned, operation["name"]) | {"operation": operation["name"], "versions": []}
        try:
            made = self._uploaded(context, registry, known, operation, progress)
            if left:  # the version is ours now, and so is the rest of the model
                registry.patch(made["id"], patch_of(dict.fromkeys(PATCHED), made))
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

    def _made_meanwhile(self, context: Context, registry: Registry, planned: State, name: str) -> JsonObject | None:
        """The planned version, when an apply that was killed has begun its upload: waited for."""
        progress, timeout_s = Progress(self.type_name, planned["display_name"]), _upload_timeout_s(planned)
        running = registry.uploads(name)
        for operation in running:
            progress.phase("JOINED", "an earlier apply began an upload")
            with contextlib.suppress(OperationFailed):
                wait(
                    self.api,
                    operation,
                    timeout_s=timeout_s,
                    progress=progress,
                    stop=context.stop,
                    region=registry.region,
                )
        return _twin(registry.versions(name), planned) if running else None

    def _adopted(self, registry: Registry, planned: State, name: str, twin: JsonObject) -> State:
        """The state of a version that is there already, brought in line with the configuration."""
        progress = Progress(self.type_name, planned["display_name"])
        progress.phase("ADOPTED", f"version {twin['versionId']} has this container: no upload")
        made = self._filled(registry, planned | {"operation": None, "versions": []}, {"model": name, **_id_of(twin)})
        registry.patch(name, patch_of(dict.fromkeys(PATCHED), planned))
        aliases = set(planned["version_aliases"] or []) - set(twin.get("versionAliases", []))
        registry.move_aliases(made["version_name"], give=list(aliases), take=[])
        return made

    def read(self, context: Context, state: State) -> State | None:
        registry = registry_of(self.api, context.stop, state["id"] or state["operation"])
        if state["version_id"] is None:
            return self._read_unfinished(context, registry, state)
        found = registry.find(f"{state['id']}@{state['version_id']}")
        if found is not None:
            return seen(found, state)
        left = {str(one["versionId"]) for one in registry.versions(state["id"])} & set(state["versions"] or [])
        return without_version(state, left) if left else None

    def _read_unfinished(self, context: Context, registry: Registry, state: State) -> State | None:
        operation = registry.operation(state["operation"]) if state["operation"] else None
        if operation is not None and not operation.get("done"):
            return state
        if operation is not None and "error" not in operation:
            return self.read(context, self._filled(registry, state, response_of(operation)))
        said = "is not known any more" if operation is None else f"failed: {operation['error'].get('message')}"
        context.warn("An upload that an earlier apply began made no version", f"Operation {state['operation']} {said}")
        return without_version(state, set(state["versions"])) if state["versions"] else None

    def update(self, context: Context, prior: State, planned: State) -> State:
        registry = registry_of(self.api, context.stop, prior["id"])
        if prior["version_id"] is None:
            progress = Progress(self.type_name, prior["display_name"])
            prior = self._uploaded(context, registry, prior, {"name": prior["operation"]}, progress)
        if _needs_version(prior, planned):
            planned = self._new_version(context, registry, prior, planned)
        else:
            planned |= {name: prior[name] for name in COMPUTED_BY_UPLOAD}
        try:
            registry.patch(planned["id"], patch_of(prior, planned))
            self._patch_version(registry, prior, planned)
        except PluginError as error:
            error.state = planned | {name: prior[name] for name in PATCHED}
            raise
        return planned

    def _new_version(self, context: Context, registry: Registry, prior: State, planned: State) -> State:
        ours = prior["versions"] or []
        others = [one for one in registry.versions(prior["id"]) if str(one["versionId"]) not in ours]
        twin = _twin(others, planned) or self._made_meanwhile(context, registry, planned, prior["id"])
        if twin is not None:  # an apply that was killed has uploaded it
            return self._filled(registry, planned | {"versions": ours}, {"model": prior["id"], **_id_of(twin)})
        operation, progress = self._start(registry, planned, prior["id"])
        known = planned | {name: prior[name] for name in PATCHED}
        known |= {"operation": operation["name"], "versions": ours, "version_id": None}
        try:
            made = self._uploaded(context, registry, known, operation, progress)
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

    def _patch_version(self, registry: Registry, prior: State, planned: State) -> None:
        if planned["version_id"] != prior["version_id"]:
            return  # uploaded with its description and aliases
        if prior["version_description"] != planned["version_description"]:
            registry.patch(planned["version_name"], {"versionDescription": planned["version_description"] or ""})
        wanted, held = set(planned["version_aliases"] or []), set(prior["version_aliases"] or [])
        registry.move_aliases(planned["version_name"], give=list(wanted - held), take=list(held - wanted))

    def delete(self, context: Context, state: State) -> None:
        registry = registry_of(self.api, context.stop, state["id"] or state["operation"])
        progress = Progress(self.type_name, state["display_name"])
        timeout_s = duration.timeout(state, "delete", DELETE_TIMEOUT)
        doomed = set(state["versions"] or []) | {state["version_id"]}
        if state["version_id"] is None and state["operation"]:
            # It cannot be taken back while it runs; what it makes must not stay behind.
            with contextlib.suppress(OperationFailed):
                operation = registry.operation(state["operation"]) or {"name": state["operation"], "done": True}
                response = wait(
                    self.api,
                    operation,
                    timeout_s=timeout_s,
                    progress=progress,
                    stop=context.stop,
                    region=registry.region,
                )
                made = self._filled(registry, state, response)
                state, doomed = made, doomed | set(made["versions"])
        if state["id"] is None:
            return
        registry.delete_versions(state["id"], doomed, timeout_s=timeout_s, progress=progress)

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

    def _start(self, registry: Registry, planned: State, parent: str | None) -> tuple[JsonObject, Progress]:
        """Starts an upload. parent: the model that gets a new version; None for a new model."""
        progress = Progress(self.type_name, planned["display_name"], asked=_asked(planned, parent))
        body: JsonObject = {"model": to_api(planned, is_version=parent is not None)}
        if parent is not None:
            body["parentModel"] = parent
        elif isinstance(planned["model_id"], str):
            body["modelId"] = planned["model_id"]
        progress.phase("UPLOADING", "a new version" if parent else "")
        collection = f"projects/{planned['project']}/locations/{planned['location']}"
        with asking(progress, parent or collection):
            return registry.start_upload(collection, body), progress

    def _uploaded(
        self, context: Context, registry: Registry, known: State, operation: JsonObject, progress: Progress
    ) -> State:
        """The state once the upload is done."""
        response = wait(
            self.api,
            operation,
            timeout_s=_upload_timeout_s(known),
            progress=progress,
            stop=context.stop,
            region=registry.region,
        )
        progress.phase("UPLOADED", f"version {response.get('modelVersionId')}")
        return self._filled(registry, known, response)

    def _filled(self, registry: Registry, known: State, response: JsonObject) -> State:
        """The state with what an upload's response tells."""
        version = str(response.get("modelVersionId") or str(response["model"]).partition("@")[2] or "1")
        names = names_of(known, str(response["model"]).partition("@")[0])
        version_name = f"{names['id']}@{version}"
        found = registry.find(version_name) or {}
        versions = [*(one for one in known["versions"] or [] if one != version), version]
        return (
            known
            | names
            | {
                "version_id": version,
                "version_name": version_name,
                "create_time": found.get("versionCreateTime") or found.get("createTime"),
                "versions": versions,
            }
        )


def _asked(planned: State, parent: str | None) -> str:
    name = planned["model_id"] if isinstance(planned["model_id"], str) else planned["display_name"]
    what = f"a new version of {parent}" if parent else f"model {name}"
    return f"upload {planned['container_spec'][0]['image_uri']} as {what} in {planned['location']}"


def _upload_timeout_s(state: State) -> float:
    """Of a first version `timeouts.create`, of a later one `timeouts.update`."""
    has_versions = isinstance(state["versions"], list) and bool(state["versions"])
    return duration.timeout(state, "update" if has_versions else "create", UPLOAD_TIMEOUT)


def _needs_version(prior: State, planned: State) -> bool:
    return any(prior[name] != planned[name] for name in VERSIONED)


def _twin(versions: list[JsonObject], planned: State) -> JsonObject | None:
    """The newest of these versions that has the planned container and artifact, as far as Google shows them."""
    wanted = (container_spec.to_api(planned["container_spec"][0]), planned["artifact_uri"] or None)
    twins = [
        one
        for one in versions
        if "containerSpec" in one
        and (container_spec.to_api(container_spec.from_api(one["containerSpec"])), one.get("artifactUri")) == wanted
    ]
    return max(twins, key=lambda one: int(one["versionId"]), default=None)


def _id_of(version: JsonObject) -> JsonObject:
    return {"modelVersionId": str(version["versionId"])}


def _goes_on(operation: JsonObject) -> str:
    return f"Google goes on with operation {operation['name']}. Apply again: the next apply takes its result."
