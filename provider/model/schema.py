"""The attributes of `vertex_model`, and what is wrong with a configuration of them."""

from __future__ import annotations

import re
from typing import Any

from provider.limits import display_name_problems, label_problems, refused, region_problems
from provider.model import container_spec
from tfplugin.resource import Problem
from tfplugin.schema import STRING, Attribute, Body, Schema, list_of, map_of, timeouts
from tfplugin.values import State

_MODEL_ID = re.compile(r"^(?:[a-z_][a-z0-9_-]{0,62}|\d{1,20})$")
_ALIAS = re.compile(r"^[a-z](?:[A-Za-z0-9-]{0,126}[A-Za-z0-9])?$")

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
                description="Last part of the name: at most 63 of `a-z0-9_-`; a number only where Google chose it. By "
                "default made of the display name, so that an apply which was killed finds what it began.",
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
                name="version_labels",
                type=map_of(STRING),
                optional=True,
                description="Labels of the newest version alone, such as evaluation metrics; Google shows them with "
                "the model's. No key may be in `labels` too.",
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
    """What is wrong with a configuration, besides its container."""
    found = display_name_problems(("display_name",), config["display_name"])
    found += label_problems(("labels",), config["labels"])
    found += label_problems(("version_labels",), config["version_labels"])
    found += region_problems(("location",), config["location"])
    if isinstance(config["labels"], dict) and isinstance(config["version_labels"], dict):
        found += [
            refused(("version_labels",), key, "a key that is not in labels")
            for key in sorted(config["labels"].keys() & config["version_labels"].keys())
        ]
    model_id, artifact = config["model_id"], config["artifact_uri"]
    if isinstance(model_id, str) and not _MODEL_ID.match(model_id):
        allowed = "at most 63 of a-z, 0-9, _ and -, not beginning with a digit or -"
        found.append(refused(("model_id",), model_id, allowed))
    if isinstance(artifact, str) and not artifact.startswith("gs://"):
        found.append(refused(("artifact_uri",), artifact, "a folder in Cloud Storage, as gs://BUCKET/FOLDER"))
    aliases: Any = config["version_aliases"]
    for index, alias in enumerate(aliases if isinstance(aliases, list) else ()):
        if isinstance(alias, str) and not _ALIAS.match(alias):
            allowed = "a letter of a-z, then up to 127 letters, digits and -, not ending with -"
            found.append(refused(("version_aliases", index), alias, allowed))
    return found
