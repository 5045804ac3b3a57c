"""Custom jobs as documents: made, listed, cancelled, deleted; their work is `custom_job_runs`.

Source: Vertex AI REST v1, projects.locations.customJobs.
"""

from __future__ import annotations

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, not_found
from localcloud.operations import RunningOperation, now, public
from localcloud.store import Document
from localcloud.vertex.custom_job_spec import checked_job
from localcloud.vertex.model_service import metadata_of
from localcloud.vertex.names import made_up_id
from localcloud.wire import matches, page

KIND, WORK = "custom_job", "customJob"
QUEUED, PENDING, RUNNING, CANCELLING = (f"JOB_STATE_{name}" for name in ("QUEUED", "PENDING", "RUNNING", "CANCELLING"))
SUCCEEDED, FAILED, CANCELLED = (f"JOB_STATE_{name}" for name in ("SUCCEEDED", "FAILED", "CANCELLED"))
ENDED = (SUCCEEDED, FAILED, CANCELLED)
FILTER_FIELDS = ("displayName", "state", "labels")
CANCELLED_ERROR = {"code": 1, "message": "CANCELED"}


class CustomJobs:
    """What the routes of every API version call. Names are canonical; what is shown is numbered."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def create(self, parent: str, body: Document) -> Document:
        job = checked_job(body)
        name = f"{parent}/customJobs/{made_up_id()}"
        operation_id = made_up_id()
        job |= {"name": name, "state": QUEUED, "createTime": now(), "updateTime": now()}
        job["_operation"] = f"{name}/operations/{operation_id}"
        self.cloud.store.put(name, kind=KIND, document=job)
        self.cloud.operations.start(WORK, prefix=name, arguments={"name": name}, operation_id=operation_id)
        return self.shown(job)

    def get(self, name: str) -> Document:
        return self.shown(self._find(name))

    def list_jobs(self, parent: str, query: Document) -> Document:
        """Newest first."""
        jobs = [self._settled(job) for job in reversed(self.cloud.store.list(KIND, under=f"{parent}/customJobs"))]
        found = [self.shown(job) for job in jobs if matches(job, query.get("filter"), fields=FILTER_FIELDS)]
        return page(found, key="customJobs", size=query.get("pageSize"), token=query.get("pageToken"))

    def cancel(self, name: str) -> Document:
        """Asks it to stop; one that has ended stays as it is."""
        job = self._find(name)
        if job["state"] not in ENDED:
            change_state(self.cloud, name, CANCELLING)
            self.cloud.operations.cancel(job["_operation"])
        return {}

    def delete(self, name: str) -> Document:
        job = self._find(name)
        if job["state"] not in ENDED:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"The CustomJob {self.cloud.projects.numbered(name)} is in state {job['state']}: cancel it, and delete "
                "it when it is in one of " + ", ".join(ENDED) + ".",
            )
        return self.cloud.operations.start(
            "deleteCustomJob", prefix=name, arguments={"name": name}, metadata=metadata_of("DeleteOperationMetadata")
        )

    def run_delete(self, running: RunningOperation) -> Document:
        running.stage(name="DELETING")
        self.cloud.store.delete(running.arguments["name"])
        return {}

    def shown(self, job: Document) -> Document:
        return public(job) | {"name": self.cloud.projects.numbered(job["name"])}

    def _find(self, name: str) -> Document:
        job = self.cloud.store.get(name)
        if job is None:
            raise not_found(self.cloud.projects.numbered(name))
        return self._settled(job)

    def _settled(self, job: Document) -> Document:
        """The job; as ended when its work ended without it: by a fault, or cancelled before it began."""
        operation = self.cloud.store.get(job["_operation"])
        if job["state"] in ENDED or operation is None or not operation["done"]:
            return job
        job = self.cloud.store.get(job["name"]) or job  # again: it may have ended between the two looks
        if job["state"] in ENDED:
            return job
        error = operation.get("error", {"code": 13, "message": "The job's work ended without a result."})
        state = CANCELLED if error["code"] == CANCELLED_ERROR["code"] else FAILED
        error = CANCELLED_ERROR if state == CANCELLED else error
        return change_state(self.cloud, job["name"], state, error=error, endTime=now())


def change_state(cloud: LocalCloud, name: str, state: str, **fields: object) -> Document:
    """KeyError when the job is gone. A job that has ended stays as it is, and one that is cancelled only ends."""

    def change(job: Document) -> None:
        if job["state"] in ENDED or (job["state"] == CANCELLING and state not in ENDED):
            return
        job.update(state=state, updateTime=now(), **fields)

    return cloud.store.update(name, change)
