"""Vertex AI Training: a custom job found, submitted, waited for, cancelled and deleted.

Knows jobs and their states; knows nothing of Terraform's.
Source: Vertex AI REST v1, projects.locations.customJobs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from provider.api import Api, ApiError, JsonObject
from provider.custom_job.document import BAD, PREFIX, REQUEST_LABEL, SUCCEEDED
from provider.failures import cloud_logging
from provider.failures.operation import console_of
from provider.failures.screen import explain
from provider.names import location_of
from provider.operations import REASONS, OperationFailed, OperationTimedOut, Poll, retry_precondition, wait
from provider.progress.phases import Progress, clock
from tfplugin.resource import PluginError

FIND_AGAIN_S = 10.0  # a job that was submitted over a connection that broke shows in the list within seconds
CANCELLING = f"{PREFIX}CANCELLING"


@dataclass(frozen=True)
class CustomJobs:
    """The custom jobs of one project and region: parent is `projects/P/locations/L`."""

    api: Api
    stop: threading.Event
    parent: str

    @property
    def region(self) -> str:
        return location_of(self.parent)

    def find(self, name: str) -> JsonObject | None:
        return self.api.find("aiplatform", f"/v1/{name}", stop=self.stop, region=self.region)

    def alike(self, request: str) -> JsonObject | None:
        """A job of the same request that runs or has succeeded: never submit a second one. The newest, if several."""
        params = {"filter": f"labels.{REQUEST_LABEL}={request}", "pageSize": "100"}
        jobs: list[JsonObject] = []
        while True:
            path = f"/v1/{self.parent}/customJobs"
            page = self.api.get("aiplatform", path, stop=self.stop, region=self.region, params=params)
            jobs += page.get("customJobs", [])
            if not page.get("nextPageToken"):
                break
            params["pageToken"] = page["nextPageToken"]
        going_on = [job for job in jobs if job["state"] not in (*BAD, CANCELLING)]
        return max(going_on, key=lambda job: (job["state"] != SUCCEEDED, job.get("createTime", "")), default=None)

    def submit(self, body: JsonObject) -> JsonObject:
        """The job, once. When no answer comes it may have been taken: it is looked for, and not submitted again."""
        try:
            return self.api.call(
                "aiplatform", "POST", f"/v1/{self.parent}/customJobs", stop=self.stop, region=self.region, json=body
            )
        except ApiError as error:
            found = self._taken(body["labels"][REQUEST_LABEL]) if error.may_pass else None
            if found is None:
                raise
            return found

    def _taken(self, request: str) -> JsonObject | None:
        poll = Poll(FIND_AGAIN_S, self.stop)
        while True:
            found = self.alike(request)
            if found is not None or poll.is_over:
                return found
            poll.pause()

    def wait(
        self, name: str, *, timeout_s: float, progress: Progress, seen: Callable[[JsonObject], None]
    ) -> JsonObject:
        """The job once it has succeeded. Raises OperationFailed with the end of its log, OperationTimedOut or Stopped.

        seen: told each look, so that what is known is not lost when the wait ends early.
        """
        job = self._ended(name, timeout_s=timeout_s, progress=progress, seen=seen)
        if job["state"] != SUCCEEDED:
            raise self._failure(job, progress)
        return job

    def _ended(
        self, name: str, *, timeout_s: float, progress: Progress, seen: Callable[[JsonObject], None]
    ) -> JsonObject:
        poll = Poll(timeout_s, self.stop)
        with progress.heartbeats():
            while True:
                job = poll.look(lambda: self._existing(name), progress)
                if job is not None:
                    seen(job)
                    if job["state"] not in BAD:  # the phase in which it failed is what its screen shall say
                        progress.phase(str(job["state"]).removeprefix(PREFIX))
                    if job["state"] in (SUCCEEDED, *BAD):
                        return job
                if poll.is_over:
                    raise OperationTimedOut(
                        f"{progress.resource} {progress.identifier} takes longer than {clock(timeout_s)}",
                        f"Vertex AI goes on with {name}. Raise the time-out in `timeouts`, and apply again.",
                    )
                poll.pause()

    def _existing(self, name: str) -> JsonObject:
        job = self.find(name)
        if job is None:
            raise PluginError(f"{name} is gone", "Somebody deleted it while it was waited for. Apply again to run it.")
        return job

    def cancel(self, name: str, *, timeout_s: float, progress: Progress) -> None:
        """Returns when it has ended, or is gone."""
        progress.phase("CANCELLING")
        try:
            self.api.call("aiplatform", "POST", f"/v1/{name}:cancel", stop=self.stop, region=self.region, json={})
            job = self._ended(name, timeout_s=timeout_s, progress=progress, seen=lambda _: None)
            progress.phase(str(job["state"]).removeprefix(PREFIX))
        except ApiError as error:
            if error.status != 404 and error.reason != "FAILED_PRECONDITION":  # it has ended meanwhile
                raise

    def delete(self, name: str, *, timeout_s: float, progress: Progress) -> None:
        """Deletes the record; one that is gone already is a success."""
        progress.phase("DELETING")
        options = {"stop": self.stop, "region": self.region, "timeout_s": timeout_s, "progress": progress}
        operation = retry_precondition(self.api, "DELETE", f"/v1/{name}", **options)  # type: ignore[arg-type]
        if operation is not None:
            wait(self.api, operation, **options)  # type: ignore[arg-type]
        progress.phase("DELETED")

    def _failure(self, job: JsonObject, progress: Progress) -> OperationFailed:
        told = job.get("error") or {}
        message = str(told.get("message") or f"The job ended as {job['state']}, and Vertex AI gave no reason.")
        reason = REASONS.get(told.get("code", 2), "UNKNOWN")
        return explain(
            OperationFailed(message, "", reason=reason, message=message),
            what=f"{progress.resource} {progress.identifier}",
            asked=progress.asked,
            phase=progress.told,
            elapsed=clock(progress.elapsed_s),
            log=cloud_logging.of_job(self.api, job["name"], stop=self.stop),
            console=console_of(job["name"]),
            operation=job["name"],
        )
