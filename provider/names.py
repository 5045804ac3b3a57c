"""Names of Google's resources, and when two spellings mean the same.

A project is named by id or by number, a model with or without `@version`. Knows nothing of HTTP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tfplugin.planning import Path
from tfplugin.resource import PluginError

_IMAGE = re.compile(
    r"^(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/@:]+)/(?P<package>[^@:]+)$"
)
_MODEL = re.compile(r"^(?P<model>projects/[^/]+/locations/[^/]+/models/[^/@]+)(?:@(?P<version>[^/@]+))?$")
_AFTER_PROJECT = re.compile(r"^projects/[^/]+/")


@dataclass(frozen=True)
class ImagePath:
    """An Artifact Registry image without tag or digest: `LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`."""

    location: str
    project: str
    repository: str
    package: str

    @property
    def repository_name(self) -> str:
        return f"projects/{self.project}/locations/{self.location}/repositories/{self.repository}"

    @property
    def package_name(self) -> str:
        """Slashes inside an image's name are escaped in the API's."""
        return f"{self.repository_name}/packages/{self.package.replace('/', '%2F')}"


def image_path(text: str) -> ImagePath:
    found = _IMAGE.match(text)
    if found is None:
        raise PluginError(
            "image is no Artifact Registry image",
            f"Got {text!r}; allowed is LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME, without tag or digest.",
            path=("image",),
        )
    return ImagePath(**found.groupdict())


def split_model(name: str) -> tuple[str, str | None]:
    """`projects/p/locations/l/models/m@3` -> the model's name and "3"; the version may be missing."""
    found = _MODEL.match(name)
    if found is None:
        raise PluginError(
            "model is no Vertex AI model",
            f"Got {name!r}; allowed is projects/PROJECT/locations/LOCATION/models/MODEL@VERSION.",
            path=("model",),
        )
    return found["model"], found["version"]


def same(one: str, other: str) -> bool:
    """Whether two resource names differ at most in the project's spelling (id or number)."""
    return one == other or _AFTER_PROJECT.sub("", one) == _AFTER_PROJECT.sub("", other)


def location_of(name: str, *, path: Path = ()) -> str:
    """The `locations/…` part of a resource name. path: the attribute that holds it, for the error."""
    parts = name.split("/")
    if len(parts) < 4 or parts[0] != "projects" or parts[2] != "locations":
        raise PluginError(
            "A resource name is incomplete",
            f"Got {name!r}; it must begin projects/PROJECT/locations/LOCATION/.",
            path=path,
        )
    return parts[3]


def project_of(name: str) -> str:
    location_of(name)
    return name.split("/")[1]
