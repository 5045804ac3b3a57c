"""Names of Vertex AI resources: taken apart, put together, made up.

Inside, a project is its id (`localcloud.projects`); the routes turn it into the number on the way out.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from localcloud.errors import invalid

_MODEL = re.compile(r"^(projects/[^/]+/locations/[^/]+)/models/([^/@:]+)(?:@([^/@:]+))?$")
_MODEL_ID = re.compile(r"^[a-z_][a-z0-9_-]{0,62}$")
_ENDPOINT_ID = re.compile(r"^([a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,9})$")
_DEPLOYED_MODEL_ID = re.compile(r"^[1-9][0-9]{0,9}$")


@dataclass(frozen=True)
class ModelName:
    """`projects/p/locations/l/models/m[@version or alias]`."""

    parent: str
    model_id: str
    version: str | None

    @property
    def name(self) -> str:
        return f"{self.parent}/models/{self.model_id}"


def model_name(text: str) -> ModelName:
    match = _MODEL.match(text)
    if match is None:
        raise invalid(
            f"Invalid Model resource name {text!r}: it must be "
            "projects/PROJECT/locations/LOCATION/models/MODEL or the same with @VERSION."
        )
    return ModelName(match[1], match[2], match[3])


def location_of(name: str) -> str:
    return name.split("/")[3]


def project_of(name: str) -> str:
    return name.split("/")[1]


def last(name: str) -> str:
    return name.rsplit("/", 1)[1]


def checked_model_id(model_id: str) -> str:
    if not _MODEL_ID.match(model_id):
        raise invalid(
            f"Invalid model_id {model_id!r}: at most 63 characters of [a-z0-9_-], not beginning with a digit or hyphen."
        )
    return model_id


def checked_endpoint_id(endpoint_id: str) -> str:
    if not _ENDPOINT_ID.match(endpoint_id):
        raise invalid(
            f"Invalid endpoint_id {endpoint_id!r}: up to 10 digits without a leading zero, or a letter "
            "followed by up to 62 of [a-z0-9-]."
        )
    return endpoint_id


def checked_deployed_model_id(deployed_model_id: str) -> str:
    if not _DEPLOYED_MODEL_ID.match(deployed_model_id):
        raise invalid(f"Invalid DeployedModel id {deployed_model_id!r}: it must be 1 to 10 digits.")
    return deployed_model_id


def made_up_id() -> str:
    """A number of 19 digits, as Google makes them."""
    return str(10**18 + uuid.uuid4().int % (9 * 10**18))
