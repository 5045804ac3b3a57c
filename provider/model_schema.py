"""The attributes of `vertex_model`, and what is wrong with a configuration of them."""

from __future__ import annotations

from typing import Any

from provider import container_spec
from tfplugin.resource import Problem
from tfplugin.schema import STRING, Attribute, Body, Schema, list_of, map_of, timeouts
from tfplugin.values import State

SCHEMA = Schema(
    body=Body(
        description="A model in the Vertex AI registry, and the versions of it that are uploaded from here.\n\n"
        "A change of `container_spec` or `artifact_uri` uploads a new version in place; names, labels and aliases are "
        "patched. Destroying deletes the versions made here, and the model with the last one. An upload that was cut "
        "short is kept without `version_id`, and the next apply takes its result.",
        attributes=[
            Attribute(
                name="model_id",
                type=STRING,
                optional=True,
                computed=True,
                replace=True,
                description="Last part of the name: at most 63 of `a-z0-9_-`. Google chooses one when it is not set.",
            ),
            Attribute(name="display_name", type=STRING, required=True, description="Shown name, 1 to 128 characters."),
            Attribute(name="description", type=STRING, optional=True, description="Description of the model."),
            Attribute(
                name="labels",
                type=map_of(STRING),
                optional=True,
                description="Labels of the model; keys and values of at most 63 of `a-z0-9_-`.",
            ),
            Attribute(
                name="version_aliases",
                type=list_of(STRING),
                optional=True,
                description="Aliases that point at the newest version made here, besides `default`.",
            ),
            Attribute(
                name="version_description", type=STRING, optional=True, description="Description of the newest version."
            ),
            Attribute(
                name="artifact_uri",
                type=STRING,
                optional=True,
                description="`gs://…` folder with weights, copied at upload. Not needed when they are in the image.",
            ),
            Attribute(
                name="project",
                type=STRING,
                optional=True,
                computed=True,
                replace=True,
                description="Project; default the provider's.",
            ),
            Attribute(
                name="location",
                type=STRING,
                optional=True,
                computed=True,
                replace=True,
                description="Region; default the provider's. Must be the image repository's region.",
            ),
            Attribute(name="id", type=STRING, computed=True, description="`projects/P/locations/L/models/M`."),
            Attribute(name="name", type=STRING, computed=True, description="The same as `id`."),
            Attribute(name="version_id", type=STRING, computed=True, description="Number of the newest version."),
            Attribute(
                name="version_name", type=STRING, computed=True, description="`id@version_id`: what is deployed."
            ),
            Attribute(
                name="versions",
                type=list_of(STRING),
                computed=True,
                description="Every version this resource uploaded; they go with it.",
            ),
            Attribute(
                name="create_time",
                type=STRING,
                computed=True,
                description="When the newest version was made, in RFC 3339.",
            ),
            Attribute(
                name="operation",
                type=STRING,
                computed=True,
                description="The operation of the newest upload; null when a version was adopted.",
            ),
        ],
        blocks=[container_spec.BLOCK, timeouts(create="30m", update="30m", delete="15m")],
    )
)


def problems(config: State) -> list[Problem]:
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
