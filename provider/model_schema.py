"""The attributes of `vertex_model`."""

from __future__ import annotations

from provider import container_spec
from tfplugin.schema import STRING, Attribute, Body, Schema, list_of, map_of, timeouts

SCHEMA = Schema(
    body=Body(
        description="A model in the Vertex AI registry. A change of its container or artifact uploads a new version.",
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
            Attribute(name="labels", type=map_of(STRING), optional=True, description="Labels of the model."),
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
            Attribute(name="create_time", type=STRING, computed=True, description="When the version was made."),
            Attribute(name="operation", type=STRING, computed=True, description="The upload's operation."),
        ],
        blocks=[container_spec.BLOCK, timeouts(create="30m", update="30m", delete="15m")],
    )
)
