"""Cloud Build: a build found, started and waited for.

Knows triggers, builds and where an uploaded source goes; knows nothing of Terraform's states.
Source: Cloud Build REST v1, projects.locations.builds and projects.locations.triggers.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from provider.api import Api, JsonObject
from provider.failures import cloud_logging
from provider.failures.operation import console_of_build
from provider.failures.screen import Log, explain
from provider.operations import OperationFailed, OperationTimedOut, Poll
from provider.progress.phases import Progress, clock
from tfplugin.resource import PluginError

RUNNING = ("PENDING", "QUEUED", "WORKING")
LOG_LINES = 100  # looked at for a cause; the screen has room for some


@dataclass(frozen=True)
class BuildRequest:
    """What a build is to be made of: a commit (`revision`), or an archive and the bucket it goes to."""

    trigger: str
    substitutions: dict[str, str]
    revision: str | None
    archive: Path | None
    bucket: str | None
    content_hash: str


@dataclass(frozen=True)
class Builds:
    """The builds of one project and location."""

    api: Api
    stop: threading.Event
    project: str
    location: str

    @property
    def _path(self) -> str:
        return f"/v1/projects/{self.project}/locations/{self.location}/builds"

    def running(self, image: str, tag: str) -> JsonObject | None:
        """A build of this image and tag that has not ended: never start a second one."""
        page = self.api.get("cloudbuild", self._path, stop=self.stop, params={"pageSize": "100"})
        for build in page.get("builds", []):
            given = build.get("substitutions", {})
            if build.get("status") in RUNNING and (given.get("_IMAGE"), given.get("_TAG")) == (image, tag):
                return dict(build)
        return None

    def start(self, request: BuildRequest) -> JsonObject:
        """Starts the build and returns it, with its `id`."""
        operation = self._run_trigger(request) if request.archive is None else self._submit(request)
        return dict(operation["metadata"]["build"])

    def _run_trigger(self, request: BuildRequest) -> JsonObject:
        body = {
            "projectId": self.project,
            "triggerId": request.trigger.rpartition("/")[2],
            "source": {"commitSha": request.revision, "substitutions": request.substitutions},
        }
        return self.api.call("cloudbuild", "POST", f"/v1/{request.trigger}:run", stop=self.stop, json=body)

    def _submit(self, request: BuildRequest) -> JsonObject:
        """The trigger's own build steps, on an uploaded archive instead of a commit."""
        if request.archive is None or request.bucket is None:
            raise PluginError("source_bucket is missing", "source_archive needs a bucket to be uploaded to.")
        trigger = self.api.get("cloudbuild", f"/v1/{request.trigger}", stop=self.stop)
        if "build" not in trigger:
            raise PluginError(
                "The trigger has no inline build",
                f"{request.trigger} builds from a file of its repository; source_archive needs a trigger whose build "
                "is declared inline. Use revision instead.",
            )
        source = {"bucket": request.bucket, "object": self._upload(request.archive, request)}
        build = dict(trigger["build"])
        build["source"] = {"storageSource": source}
        build["substitutions"] = {**trigger.get("substitutions", {}), **request.substitutions}
        # A build made by hand refuses substitutions that no step uses, a trigger's build does not.
        build["options"] = {**build.get("options", {}), "substitutionOption": "ALLOW_LOOSE"}
        if trigger.get("serviceAccount"):
            build["serviceAccount"] = trigger["serviceAccount"]
        return self.api.call("cloudbuild", "POST", self._path, stop=self.stop, json=build)

    def _upload(self, archive: Path, request: BuildRequest) -> str:
        """Uploads the archive unless it is there already; returns the object's name."""
        name = f"source/{request.content_hash}.tar.gz"
        bucket = f"storage/v1/b/{request.bucket}/o"
        escaped = name.replace("/", "%2F")
        if self.api.find("storage", f"/{bucket}/{escaped}", stop=self.stop) is not None:
            return name
        try:
            content = archive.read_bytes()
        except OSError as error:
            raise PluginError(
                "The source archive cannot be read",
                f"{archive} (relative to Terraform's working directory {Path.cwd()}): {error.strerror}. "
                "Run `cdktf synth` again: it writes the archive.",
                path=("source_archive",),
            ) from error
        self.api.call(
            "storage",
            "POST",
            f"/upload/{bucket}",
            stop=self.stop,
            params={"uploadType": "media", "name": name},
            data=content,
            content_type="application/gzip",
        )
        return name

    def get(self, build_id: str) -> JsonObject:
        return self.api.get("cloudbuild", f"{self._path}/{build_id}", stop=self.stop)

    def find(self, build_id: str) -> JsonObject | None:
        return self.api.find("cloudbuild", f"{self._path}/{build_id}", stop=self.stop)

    def wait(self, build_id: str, *, timeout_s: float, progress: Progress) -> JsonObject:
        """The finished build. OperationFailed with the end of its log when it failed; may raise Stopped."""
        with progress.heartbeats():
            return self._ended(build_id, timeout_s=timeout_s, progress=progress)

    def _ended(self, build_id: str, *, timeout_s: float, progress: Progress) -> JsonObject:
        poll = Poll(timeout_s, self.stop)
        while True:
            build = poll.look(lambda: self.get(build_id), progress)
            if build is not None:
                progress.machine = progress.machine or str(build.get("options", {}).get("machineType", ""))
                progress.phase(_phase(build))
                if build["status"] == "SUCCESS":
                    return build
                if build["status"] not in RUNNING:
                    raise self._failure(build, progress)
            if poll.is_over:
                raise OperationTimedOut(
                    f"Build {build_id} takes longer than {clock(timeout_s)}",
                    "Cloud Build goes on with it. Raise `timeouts.create`, and apply again: the next apply joins it.",
                )
            poll.pause()

    def _failure(self, build: JsonObject, progress: Progress) -> OperationFailed:
        info = build.get("failureInfo", {})
        message = info.get("detail") or build.get("statusDetail") or "Cloud Build gave no reason."
        status = str(build["status"])
        return explain(
            OperationFailed(status, "", reason=status, message=str(message)),
            what=f"Build {build['id']}",
            asked=progress.asked or _asked(build),
            phase=progress.told,
            elapsed=clock(progress.elapsed_s),
            log=self._log(build),
            console=console_of_build(build),
        )

    def _log(self, build: JsonObject) -> Log:
        """The end of the log, from its bucket or from Cloud Logging."""
        bucket = str(build.get("logsBucket", "")).removeprefix("gs://")
        if not bucket:
            return cloud_logging.of_build(self.api, self.project, str(build["id"]), stop=self.stop)
        import requests

        url = f"{self.api.host('storage')}/storage/v1/b/{bucket}/o/log-{build['id']}.txt?alt=media"
        try:
            answer = self.api.session().get(url, timeout=20)
        except requests.RequestException as error:
            return Log(note=f"It cannot be read: {type(error).__name__}.")
        if not answer.ok:
            return Log(note=f"It cannot be read: gs://{bucket} answered {answer.status_code}.")
        return Log(lines=answer.text.splitlines()[-LOG_LINES:])


def _asked(build: JsonObject) -> str:
    given = build.get("substitutions", {})
    image = f"{given.get('_IMAGE', 'an image')}:{given.get('_TAG', '')}".rstrip(":")
    trigger = f" by trigger {build['buildTriggerId']}" if build.get("buildTriggerId") else ""
    return f"build {image}{trigger} within {build.get('timeout', 'its timeout')}"


def _phase(build: JsonObject) -> str:
    """`WORKING step 2/2 gcr.io/cloud-builders/docker`, or the build's status."""
    steps = build.get("steps", [])
    for number, step in enumerate(steps, start=1):
        if step.get("status") == "WORKING":
            return f"{build['status']} step {number}/{len(steps)} {step.get('name', '')}"
    return str(build["status"])
