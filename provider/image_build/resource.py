"""`vertex_image_build`: a container image that exists, built once per content.

The image's tag is the start of the content hash. Creating adopts an image with that tag, or joins
a build of it that runs already, or starts one. A build that was cut short is kept as `building`: the
next plan takes it up. An image that was made by hand is imported by whatever tag it has; its digest stands for its
content then. Knows nothing of what is in the image.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provider import duration
from provider.api import Api, JsonObject
from provider.failures.operation import asking
from provider.image_build.builds import RUNNING, BuildRequest, Builds
from provider.image_build.schema import DEFAULT_TIMEOUT, SCHEMA, problems
from provider.names import image_path, location_of, project_of
from provider.operations import OperationFailed, cut_short
from provider.progress.phases import Progress
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import Schema
from tfplugin.values import UNKNOWN, State

TAG_LENGTH = 16
_OUR_TAG = re.compile(rf"^[0-9a-f]{{{TAG_LENGTH}}}$")
# How the same content reaches the build: a change of these alone plans nothing.
DELIVERY = ("revision", "source_archive", "source_bucket", "substitutions")
BUILDING = "building"
# What only a finished build tells.
LEARNED = ("id", "digest", "image_uri", "build_id", "log_url", "status")


@dataclass
class ImageBuild:
    """The resource type."""

    api: Api
    type_name: str = "vertex_image_build"
    schema: Schema = field(default=SCHEMA)

    def validate(self, config: State) -> Sequence[Problem]:
        if isinstance(config["image"], str):
            image_path(config["image"])
        return [*duration.problems(config), *problems(config)]

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        tag = _tag_of(planned["content_hash"])
        if prior is None or tag is UNKNOWN or _tag_of(prior["content_hash"]) != tag:
            return planned | {"tag": tag}
        # Terraform lets a plan keep an old value only where there are an old and a new one.
        both = [name for name in DELIVERY if prior[name] is not None and planned[name] is not None]
        planned |= {name: prior[name] for name in (*both, "content_hash", "tag")}
        if prior["status"] == BUILDING:
            planned |= dict.fromkeys(LEARNED, UNKNOWN)
        return planned

    def create(self, context: Context, planned: State) -> State:
        image, tag = planned["image"], planned["content_hash"][:TAG_LENGTH]
        progress = Progress(self.type_name, f"{image.rpartition('/')[2]}:{tag}")
        state = planned | {"tag": tag, "build_id": None, "log_url": None}
        digest = self._digest_of(image, tag, context)
        if digest is None and planned["trigger"] is None:
            digest = self._pushed(image, planned["content_hash"], context)
        if digest is not None:
            progress.phase("ADOPTED", "an image of this content exists: no build")
            return state | _image(image, digest) | {"status": "ADOPTED"}
        if planned["trigger"] is None:
            raise PluginError(
                f"There is no image {image}:{tag}, and nothing to build it",
                "Set trigger, and revision or source_archive; or push an image under this tag.",
            )
        progress.phase("STARTING_BUILD")
        builds = self._builds(context, planned)
        with asking(progress, planned["trigger"]):
            build = builds.running(image, tag) or builds.start(self._request(planned, tag))
        state |= {"build_id": build["id"], "log_url": build.get("logUrl"), "status": BUILDING}
        try:
            return self._built(context, builds, state, progress)
        except OperationFailed as error:
            error.state = state | {"status": error.reason}  # tainted: the next apply builds again
            raise
        except (PluginError, Stopped) as error:
            # A warning, for an error would taint, and there is nothing to replace here.
            context.warn(
                f"{cut_short(error)} while build {build['id']} runs ({progress.phase_now})",
                f"Cloud Build goes on with it ({build.get('logUrl')}). Apply again: the next apply takes its image.",
            )
            return state

    def read(self, context: Context, state: State) -> State | None:
        if state["status"] == BUILDING:
            return self._read_unfinished(context, state)
        if not state["digest"]:
            return state  # its build failed; Terraform holds it as tainted
        if self.api.find("artifactregistry", f"/v1/{_version(state)}", stop=context.stop) is None:
            return None
        if self._digest_of(state["image"], state["tag"], context) != state["digest"]:
            context.warn(
                f"The tag {state['tag']} was taken from {state['image_uri']}",
                "The image is there, and is used by its digest; but a cleanup policy may delete what has no tag, and "
                "the next build of this content takes what the tag points to. To give it back:\n"
                f"  gcloud artifacts docker tags add {state['image_uri']} {state['image']}:{state['tag']}",
            )
        return state

    def _read_unfinished(self, context: Context, state: State) -> State | None:
        digest = self._digest_of(state["image"], state["tag"], context)
        if digest is not None:
            return state | _image(state["image"], digest) | {"status": "BUILT"}
        build = self._builds(context, state).find(state["build_id"])
        if build is not None and build["status"] in RUNNING:
            return state
        ended = build["status"] if build else "gone"
        context.warn(f"Build {state['build_id']} made no image: {ended}", f"Log: {state['log_url']}")
        return None

    def update(self, context: Context, prior: State, planned: State) -> State:
        if prior["status"] != BUILDING:
            return planned
        progress = Progress(self.type_name, f"{prior['image'].rpartition('/')[2]}:{prior['tag']}")
        built = self._built(context, self._builds(context, prior), prior, progress)
        return planned | {name: built[name] for name in LEARNED}

    def delete(self, context: Context, state: State) -> None:
        if state["keep_on_destroy"] or not state.get("digest"):
            return
        path = f"/v1/{_version(state)}"
        if self.api.find("artifactregistry", path, stop=context.stop) is not None:
            # The tag goes with it: `force`.
            self.api.call("artifactregistry", "DELETE", path, stop=context.stop, params={"force": "true"})

    def import_(self, context: Context, identifier: str) -> State:
        """identifier: `IMAGE:TAG`, any tag that the image has."""
        image, _, tag = identifier.rpartition(":")
        digest = self._digest_of(image, tag, context) if image else None
        if digest is None:
            raise PluginError(
                "Nothing to import", f"Got {identifier!r}; allowed is IMAGE:TAG of an image that is in the registry."
            )
        content = tag if _OUR_TAG.match(tag) else digest.partition(":")[2]
        known = {"image": image, "tag": tag, "content_hash": content, "keep_on_destroy": True, "status": "ADOPTED"}
        return self.schema.body.empty() | known | _image(image, digest)

    def _built(self, context: Context, builds: Builds, state: State, progress: Progress) -> State:
        """The state once the build is done."""
        image, tag = state["image"], state["tag"]
        timeout_s = duration.timeout(state, "create", DEFAULT_TIMEOUT)
        done = builds.wait(state["build_id"], timeout_s=timeout_s, progress=progress)
        digest = _built_digest(done, f"{image}:{tag}") or self._digest_of(image, tag, context)
        if digest is None:
            message = (
                "It ended well, but the registry has no such tag. The trigger's build must push and list "
                f"`${{_IMAGE}}:${{_TAG}}` under `images`. Log: {state['log_url']}"
            )
            summary = f"Build {state['build_id']} made no image {image}:{tag}"
            raise OperationFailed(summary, message, reason="NO_IMAGE", message=message)
        return state | _image(image, digest) | {"status": "BUILT"}

    def _builds(self, context: Context, state: State) -> Builds:
        return Builds(self.api, context.stop, project_of(state["trigger"]), location_of(state["trigger"]))

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

    def _pushed(self, image: str, content: str, context: Context) -> str | None:
        """The digest of an image that was made by hand, which stands for its content; None when it is not there."""
        name = f"{image_path(image).package_name}/versions/sha256:{content}"
        found = self.api.find("artifactregistry", f"/v1/{name}", stop=context.stop)
        return None if found is None else f"sha256:{content}"

    def _digest_of(self, image: str, tag: str, context: Context) -> str | None:
        name = f"{image_path(image).package_name}/tags/{tag}"
        found = self.api.find("artifactregistry", f"/v1/{name}", stop=context.stop)
        return None if found is None else str(found["version"]).rpartition("/")[2]


def _tag_of(content: Any) -> Any:
    """The tag of an image with this content."""
    return content[:TAG_LENGTH] if isinstance(content, str) else content


def _version(state: State) -> str:
    return f"{image_path(state['image']).package_name}/versions/{state['digest']}"


def _image(image: str, digest: str) -> JsonObject:
    uri = f"{image}@{digest}"
    return {"id": uri, "digest": digest, "image_uri": uri}


def _built_digest(build: JsonObject, name: str) -> str | None:
    images: list[dict[str, Any]] = build.get("results", {}).get("images", [])
    return next((str(one["digest"]) for one in images if one.get("name") == name and one.get("digest")), None)
