"""The data source `vertex_model`: a model of the registry and one of its versions, found by what is known of it.

Exactly one model must match: none or several is an error that names what is there. Changes nothing.
Source: Vertex AI REST v1, projects.locations.models list, get and listVersions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from provider.api import Api, JsonObject
from provider.limits import refused, region_problems
from provider.model.aliases import aliases_of
from provider.model.registry import DEFAULT_ALIAS, Registry
from tfplugin.resource import Context, PluginError, Problem
from tfplugin.schema import STRING, Attribute, Body, Schema, list_of, map_of
from tfplugin.values import State

WANTED = ("model_id", "display_name", "labels")
MAX_NAMED = 5


def _given(name: str, type_: Any, description: str) -> Attribute:
    return Attribute(name=name, type=type_, optional=True, description=description)


def _either(name: str, description: str) -> Attribute:
    return Attribute(name=name, type=STRING, optional=True, computed=True, description=description)


def _told(name: str, description: str, type_: Any = STRING) -> Attribute:
    return Attribute(name=name, type=type_, computed=True, description=description)


SCHEMA = Schema(
    body=Body(
        description="A model in the Vertex AI registry, and one of its versions, found by its id, shown name or "
        "labels.\n\n"
        "Everything that is given must match, and exactly one model must: none, or several, is an error that names "
        "what is there. The version is the default one unless `alias` or `version_id` choose another. Use "
        "`version_name` where a version is to be deployed.",
        attributes=[
            _either("model_id", "Last part of the model's name."),
            _either("display_name", "Shown name, exactly."),
            _given("labels", map_of(STRING), "Labels that the model must have; it may have others."),
            _given("alias", STRING, "Alias of the version, such as `live`; without it the default version."),
            _either("version_id", "Number of the version. Not together with `alias`."),
            _either("project", "Project; default the provider's."),
            _either("location", "Region; default the provider's."),
            _told("id", "`projects/P/locations/L/models/M`."),
            _told("name", "The same as `id`."),
            _told("version_name", "`id@version_id`: what is deployed."),
            _told("version_aliases", "Aliases of the version.", list_of(STRING)),
            _told("all_labels", "Labels of the model and of the version.", map_of(STRING)),
            _told("description", "Description of the model; null when it has none."),
            _told("artifact_uri", "`gs://…` folder with weights; null when they are in the image."),
            _told("image_uri", "Image of the serving container; null when Google does not tell."),
            _told("create_time", "When the version was made, in RFC 3339."),
        ],
    )
)


@dataclass
class ModelData:
    """The data source type."""

    api: Api
    type_name: str = "vertex_model"
    schema: Schema = field(default=SCHEMA)

    def validate(self, config: State) -> Sequence[Problem]:
        found = region_problems(("location",), config["location"])
        if all(config[name] is None for name in WANTED):
            found.append(Problem("Nothing says which model", f"Set at least one of {', '.join(WANTED)}."))
        if isinstance(config["alias"], str) and isinstance(config["version_id"], str):
            found.append(refused(("alias",), config["alias"], "none together with version_id: both choose the version"))
        return found

    def read(self, context: Context, config: State) -> State:
        project = config["project"] or self.api.settings.project
        location = config["location"] or self.api.settings.region
        registry = Registry(self.api, context.stop, location)
        model = self._model(registry, f"projects/{project}/locations/{location}", config)
        name = f"projects/{project}/locations/{location}/models/{_id_of(model)}"
        version = _version(registry, name, config)
        return config | {
            "project": project,
            "location": location,
            "model_id": _id_of(model),
            "display_name": version["displayName"],
            "id": name,
            "name": name,
            "version_id": str(version["versionId"]),
            "version_name": f"{name}@{version['versionId']}",
            "version_aliases": aliases_of(version),
            "all_labels": version.get("labels", {}),
            "description": version.get("description") or None,
            "artifact_uri": version.get("artifactUri") or None,
            "image_uri": version.get("containerSpec", {}).get("imageUri"),
            "create_time": version.get("versionCreateTime") or version.get("createTime"),
        }

    def _model(self, registry: Registry, parent: str, config: State) -> JsonObject:
        """The one model that matches. Google's filter narrows; what counts is compared here, letter by letter."""
        if config["model_id"] is not None:
            found = registry.find(f"{parent}/models/{config['model_id']}")
            models = [] if found is None else [found]
        else:
            models = registry.models(parent, _filter(config))
        matching = [model for model in models if _matches(model, config)]
        if len(matching) == 1:
            return matching[0]
        wanted = ", ".join(f"{name} = {config[name]!r}" for name in WANTED if config[name] is not None)
        if not matching:
            seen = f"Nearest: {_named(models)}." if models else "Another project or region may have it."
            raise PluginError(f"No model matches {wanted}", f"Looked in {parent}. {seen}")
        raise PluginError(
            f"{len(matching)} models match {wanted}",
            f"Exactly one must: {_named(matching)}. Set model_id, or give labels that only one has.",
        )


def _matches(model: JsonObject, config: State) -> bool:
    labels = model.get("labels", {})
    return config["display_name"] in (None, model["displayName"]) and all(
        labels.get(key) == value for key, value in (config["labels"] or {}).items()
    )


def _filter(config: State) -> str:
    """What Google shall narrow the list by; a quote would need an escape that its filters do not have."""
    terms = {} if config["display_name"] is None else {"display_name": config["display_name"]}
    terms |= {f"labels.{key}": value for key, value in (config["labels"] or {}).items()}
    return " AND ".join(f'{key}="{value}"' for key, value in terms.items() if '"' not in value)


def _version(registry: Registry, name: str, config: State) -> JsonObject:
    wanted = config["alias"] or config["version_id"] or DEFAULT_ALIAS
    version = registry.find(f"{name}@{wanted}")
    if version is not None:
        return version
    held = "; ".join(
        f"{one['versionId']} ({', '.join(aliases_of(one)) or 'no alias'})" for one in registry.versions(name)
    )
    which = "alias" if config["alias"] else "version_id"
    raise PluginError(f"The model has no version {wanted}", f"{name} has {held or 'none'}.", path=(which,))


def _id_of(model: JsonObject) -> str:
    return str(model["name"]).rpartition("/")[2].partition("@")[0]


def _named(models: Sequence[JsonObject]) -> str:
    named = [f"{_id_of(model)} ({model['displayName']})" for model in models[:MAX_NAMED]]
    more = len(models) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
