"""The attributes of `vertex_image_build`."""

from __future__ import annotations

import re
from typing import Any

from provider.limits import refused
from tfplugin.resource import Problem
from tfplugin.schema import BOOL, STRING, Attribute, Body, Schema, map_of, timeouts
from tfplugin.values import State

DEFAULT_TIMEOUT = "2h"
_COMMIT = re.compile(r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")
_HASH = re.compile(r"^[0-9a-f]{16}(?:[0-9a-f]{48})?$")
_TRIGGER = re.compile(r"^projects/[^/]+/locations/[^/]+/triggers/[^/]+$")
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")
_SUBSTITUTION = re.compile(r"^_[A-Z0-9_]+$")
OURS = ("_IMAGE", "_TAG")

SCHEMA = Schema(
    body=Body(
        description="A container image in Artifact Registry, built by a Cloud Build trigger once per content.\n\n"
        "The image's tag is the start of `content_hash`. An image with that tag is adopted, a build of it that runs is "
        "joined, else one is started; so an unchanged source never builds twice, whoever applies. Use `image_uri` (by "
        "digest) where the image is needed. After an interrupt the status is `building`, and the next apply goes on.",
        attributes=[
            Attribute(
                name="image",
                type=STRING,
                required=True,
                replace=True,
                description="`LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`, without tag or digest.",
            ),
            Attribute(
                name="content_hash",
                type=STRING,
                required=True,
                replace=True,
                description="sha256, 64 hexadecimal digits, of what goes into the image; its first 16 decide whether "
                "to build, and may stand alone.",
            ),
            Attribute(
                name="trigger",
                type=STRING,
                optional=True,
                description="`projects/P/locations/L/triggers/ID`: the trigger whose build makes the image. Without "
                "one nothing is built, and the image must be there.",
            ),
            Attribute(
                name="substitutions",
                type=map_of(STRING),
                optional=True,
                description="Passed to the build besides `_IMAGE` and `_TAG`. A change of these alone builds nothing.",
            ),
            Attribute(
                name="revision",
                type=STRING,
                optional=True,
                description="Commit that the trigger builds. With a trigger, exactly one of `revision` and "
                "`source_archive`.",
            ),
            Attribute(
                name="source_archive",
                type=STRING,
                optional=True,
                description="A .tar.gz of the source, relative to Terraform's working directory, uploaded instead.",
            ),
            Attribute(
                name="source_bucket",
                type=STRING,
                optional=True,
                description="Bucket that takes `source_archive`, as `source/CONTENT_HASH.tar.gz`.",
            ),
            Attribute(
                name="keep_on_destroy",
                type=BOOL,
                optional=True,
                computed=True,
                default=True,
                description="Whether the image stays in the registry when this resource is destroyed. Default true.",
            ),
            Attribute(name="id", type=STRING, computed=True, description="The same as `image_uri`."),
            Attribute(
                name="tag",
                type=STRING,
                computed=True,
                description="The first 16 digits of `content_hash`, or the tag that an import named.",
            ),
            Attribute(name="digest", type=STRING, computed=True, description="`sha256:…` of the image."),
            Attribute(name="image_uri", type=STRING, computed=True, description="`image@digest`."),
            Attribute(
                name="build_id", type=STRING, computed=True, description="The build that made it; null when adopted."
            ),
            Attribute(
                name="log_url",
                type=STRING,
                computed=True,
                description="Where the build's log is read; null when adopted.",
            ),
            Attribute(
                name="status",
                type=STRING,
                computed=True,
                description="`BUILT`, `ADOPTED`, or `building` after an interrupted apply.",
            ),
        ],
        blocks=[timeouts(create=DEFAULT_TIMEOUT)],
    )
)


def problems(config: State) -> list[Problem]:
    """What is wrong with a configuration, besides its image's name."""
    found: list[Problem] = []
    for name, (pattern, allowed) in _FORMS.items():
        if isinstance(config[name], str) and not pattern.match(config[name]):
            found.append(refused((name,), config[name], allowed))
    substitutions: Any = config["substitutions"]
    for key in substitutions if isinstance(substitutions, dict) else ():
        if key in OURS:
            found.append(refused(("substitutions",), key, "any other: image and content_hash give these two"))
        elif not _SUBSTITUTION.match(key):
            found.append(refused(("substitutions",), key, "a name of _ and then A-Z, 0-9 and _"))
    return found + _source_problems(config)


def _source_problems(config: State) -> list[Problem]:
    """A trigger and one way of the source to it; or neither, for an image that is there."""
    given = [name for name in ("revision", "source_archive") if config[name] is not None]
    if config["trigger"] is None:
        cure = "Set trigger as well, or leave it out: then the image must be in the registry already."
        return [refused((name,), config[name], "none without trigger", cure) for name in given]
    if len(given) != 1:
        return [
            Problem(
                "The source must come one way",
                f"Got {' and '.join(given) or 'neither'}; set exactly one of revision (the trigger builds a "
                "commit) and source_archive with source_bucket (an archive is uploaded).",
                (given[-1],) if given else (),
            )
        ]
    if config["source_archive"] is not None and config["source_bucket"] is None:
        text = "source_archive needs a bucket to be uploaded to."
        return [Problem("source_bucket is missing", text, ("source_archive",))]
    return []


_FORMS = {
    "content_hash": (_HASH, "a sha256 of 64 hexadecimal digits, or its first 16"),
    "trigger": (_TRIGGER, "projects/PROJECT/locations/LOCATION/triggers/ID"),
    "revision": (_COMMIT, "a whole commit id of 40 hexadecimal digits: a branch or a tag can move unseen"),
    "source_bucket": (_BUCKET, "the name of a bucket, without gs://"),
}
