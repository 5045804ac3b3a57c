"""`vertex_image_build`: a container image that exists, built once per content.

The image's tag is the start of the content hash. Creating adopts an image with that tag, or joins
a build of it that runs already, or starts one. Knows nothing of what is in the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provider import duration
from provider.api import Api, JsonObject
from provider.builds import BuildRequest, Builds
from provider.names import image_path, location_of, project_of
from provider.progress import Progress
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import BOOL, STRING, Attribute, Body, Schema, map_of, timeouts
from tfplugin.values import UNKNOWN, State

DEFAULT_TIMEOUT = "2h"
TAG_LENGTH = 16
# How the same content reaches the build: a change of these alone builds nothing.
DELIVERY = ("revision", "source_archive", "source_bucket", "substitutions")

SCHEMA = Schema(
    body=Body(
        description="A container image in Artifact Registry, built by a Cloud Build trigger once per content.",
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
                description="sha256, 64 hexadecimal digits, of what goes into the image. Decides whether to build.",
            ),
            Attribute(
                name="trigger",
                type=STRING,
                required=True,
                replace=True,
                description="`projects/P/locations/L/triggers/ID`: the trigger whose build makes the image.",
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
                description="Commit that the trigger builds. Exactly one of `revision` and `source_archive`.",
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
            Attribute(name="tag", type=STRING, computed=True, description="The first 16 digits of `content_hash`."),
            Attribute(name="digest", type=STRING, computed=True, description="`sha256:…` of the image."),
            Attribute(name="image_uri", type=STRING, computed=True, description="`image@digest`."),
            Attribute(
                name="build_id", type=STRING, computed=True, description="The build that made it; null when adopted."
            ),
            Attribute(name="log_url", type=STRING, computed=True, description="Where the build's log is read."),
            Attribute(name="status", type=STRING, computed=True, description="`BUILT`, `ADOPTED` or `building`."),
        ],
        blocks=[timeouts(create=DEFAULT_TIMEOUT)],
    )
)


@dataclass
class ImageBuild:
    """The resource type."""

    api: Api
    type_name: str = "vertex_image_build"
    schema: Schema = field(default=SCHEMA)

    def validate(self, config: State) -> Sequence[Problem]:
        problems = duration.problems(config)
        if isinstance(config["image"], str):
            image_path(config["image"])
        content = config["content_hash"]
        if isinstance(content, str) and (len(content) != 64 or not set(content) <= set("0123456789abcdef")):
            problems.append(
                Problem(
                    "content_hash is no sha256",
                    f"Got {content!r}; allowed are 64 hexadecimal digits.",
                    ("content_hash",),
                )
            )
        given = [name for name in ("revision", "source_archive") if config[name] is not None]
        if len(given) != 1:
            problems.append(
                Problem(
                    "The source must come one way",
                    f"Got {' and '.join(given) or 'neither'}; set exactly one of revision (the trigger builds a "
                    "commit) and source_archive with source_bucket (an archive is uploaded).",
                )
            )
        if config["source_archive"] is not None and config["source_bucket"] is None:
            problems.append(Problem("source_bucket is missing", "source_archive needs a bucket to be uploaded to."))
        return problems

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        if prior is not None and prior["content_hash"] == planned["content_hash"]:
            return planned | {name: prior[name] for name in DELIVERY}
        content = planned["content_hash"]
        return planned | {"tag": content[:TAG_LENGTH] if isinstance(content, str) else UNKNOWN}

    def create(self, context: Context, planned: State) -> State:
        image, tag = planned["image"], planned["content_hash"][:TAG_LENGTH]
        progress = Progress(self.type_name, f"{image.rpartition('/')[2]}:{tag}")
        state = planned | {"tag": tag}
        digest = self._digest_of(image, tag, context)
        if digest is not None:
            progress.phase("ADOPTED", "an image of this content exists: no build")
            return state | _image(image, digest) | {"build_id": None, "log_url": None, "status": "ADOPTED"}
        progress.phase("STARTING_BUILD")
        builds = Builds(self.api, context.stop, project_of(planned["trigger"]), location_of(planned["trigger"]))
        build = builds.running(image, tag) or builds.start(self._request(planned, tag))
        state |= {"build_id": build["id"], "log_url": build.get("logUrl"), "status": "building"}
        timeout_s = duration.timeout(planned, "create", DEFAULT_TIMEOUT)
        try:
            done = builds.wait(build, timeout_s=timeout_s, progress=progress)
            digest = _built_digest(done, f"{image}:{tag}") or self._digest_of(image, tag, context)
        except Stopped as stopped:
            raise PluginError(
                f"Interrupted while build {build['id']} runs",
                f"Cloud Build goes on with it ({build.get('logUrl')}). Apply again: the next apply takes its image.",
            ) from stopped
        if digest is None:
            raise PluginError(
                f"Build {build['id']} made no image {image}:{tag}",
                "It ended well, but the registry has no such tag. The trigger's build must push and list "
                f"`${{_IMAGE}}:${{_TAG}}` under `images`. Log: {build.get('logUrl')}",
            )
        return state | _image(image, digest) | {"status": "BUILT"}

    def read(self, context: Context, state: State) -> State | None:
        path = image_path(state["image"])
        name = f"{path.package_name}/versions/{state['digest']}"
        found = self.api.find("artifactregistry", f"/v1/{name}", stop=context.stop)
        return None if found is None else state

    def update(self, context: Context, prior: State, planned: State) -> State:
        return planned

    def delete(self, context: Context, state: State) -> None:
        if state["keep_on_destroy"] or not state.get("digest"):
            return
        path = image_path(state["image"])
        name = f"{path.package_name}/versions/{state['digest']}"
        if self.api.find("artifactregistry", f"/v1/{name}", stop=context.stop) is not None:
            self.api.call("artifactregistry", "DELETE", f"/v1/{name}?force=true", stop=context.stop)

    def import_(self, context: Context, identifier: str) -> State:
        """identifier: `IMAGE:TAG`; the tag of an image made here is the start of its content hash."""
        image, _, tag = identifier.rpartition(":")
        digest = self._digest_of(image, tag, context) if image else None
        if digest is None:
            raise PluginError(
                "Nothing to import", f"Got {identifier!r}; allowed is IMAGE:TAG of an image that is in the registry."
            )
        known = {"image": image, "tag": tag, "keep_on_destroy": True, "status": "ADOPTED"}
        return known | _image(image, digest)

    def _request(self, planned: State, tag: str) -> BuildRequest:
        archive = planned["source_archive"]
        return BuildRequest(
            trigger=planned["trigger"],
            substitutions=dict(planned["substitutions"] or {}) | {"_IMAGE": planned["image"], "_TAG": tag},
            revision=planned["revision"],
            archive=Path(archive) if archive else None,
            bucket=planned["source_bucket"],
            content_hash=planned["content_hash"],
        )

    def _digest_of(self, image: str, tag: str, context: Context) -> str | None:
        name = f"{image_path(image).package_name}/tags/{tag}"
        found = self.api.find("artifactregistry", f"/v1/{name}", stop=context.stop)
        return None if found is None else str(found["version"]).rpartition("/")[2]


def _image(image: str, digest: str) -> JsonObject:
    uri = f"{image}@{digest}"
    return {"id": uri, "digest": digest, "image_uri": uri}


def _built_digest(build: JsonObject, name: str) -> str | None:
    images: list[dict[str, Any]] = build.get("results", {}).get("images", [])
    return next((str(one["digest"]) for one in images if one.get("name") == name and one.get("digest")), None)
