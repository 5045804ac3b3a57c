"""Jobs of Vertex AI as documents, whatever they do: made, listed, cancelled, deleted.

A kind of job says what a request may hold; its work is elsewhere. Source: Vertex AI REST v1, JobService.
"""

from __future__ import annotations

from collections.abc import Callable

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, not_found
from localcloud.operations import OperationCancelled, RunningOperation, now, public
from localcloud.store import Document
from localcloud.vertex.model_service import metadata_of
from localcloud.vertex.names import made_up_id
from localcloud.wire import matches, page

QUEUED, PENDING, RUNNING, CANCELLING = (f"JOB_STATE_{name}" for name in ("QUEUED", "PENDING", "RUNNING", "CANCELLING"))
SUCCEEDED, FAILED, CANCELLED = (f"JOB_STATE_{name}" for name in ("SUCCEEDED", "FAILED", "CANCELLED"))
ENDED = (SUCCEEDED, FAILED, CANCELLED)
FILTER_FIELDS = ("displayName", "state", "labels")
CANCELLED_ERROR = {"code": 1, "message": "CANCELED"}


# What a job does while it runs, and what its document says then; with an `error` in it the job has failed.
Work = Callable[[RunningOperation, Document], Document]


class Jobs:
    """What the routes of every API version call. Names are canonical; what is shown is numbered.

    noun: of the kind, as paths and bodies have it; the work of its operations has the same name.
    """

    noun: str
    kind: str

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def checked(self, parent: str, body: Document) -> Document:
        """The fields that are kept of what the client asked for. Raises ApiError."""
        raise NotImplementedError

    def create(self, parent: str, body: Document) -> Document:
        job = self.checked(parent, body)
        name = f"{parent}/{self.noun}s/{made_up_id()}"
        operation_id = made_up_id()
        job |= {"name": name, "state": QUEUED, "createTime": now(), "updateTime": now()}
        job["_operation"] = f"{name}/operations/{operation_id}"
        self.cloud.store.put(name, kind=self.kind, document=job)
        self.cloud.operations.start(self.noun, prefix=name, arguments={"name": name}, operation_id=operation_id)
        return self.shown(job)

    def get(self, name: str) -> Document:
        return self.shown(self._find(name))

    def list_jobs(self, parent: str, query: Document) -> Document:
        """Newest first."""
        jobs = [
            self._settled(job) for job in reversed(self.cloud.store.list(self.kind, under=f"{parent}/{self.noun}s"))
        ]
        found = [self.shown(job) for job in jobs if matches(job, query.get("filter"), fields=FILTER_FIELDS)]
        return page(found, key=f"{self.noun}s", size=query.get("pageSize"), token=query.get("pageToken"))

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
                f"{self.cloud.projects.numbered(name)} is in state {job['state']}: cancel it, and delete "
                "it when it is in one of " + ", ".join(ENDED) + ".",
            )
        return self.cloud.operations.start(
            self.delete_work, prefix=name, arguments={"name": name}, metadata=metadata_of("DeleteOperationMetadata")
        )

    @property
    def delete_work(self) -> str:
        return f"delete{self.noun[0].upper()}{self.noun[1:]}"

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


def carry_out(cloud: LocalCloud, running: RunningOperation, work: Work) -> Document:
    """A job from QUEUED to its end. A job that failed is a finished operation: the job's state tells."""
    name = running.arguments["name"]
    job = cloud.store.get(name)
    if job is None or job["state"] in ENDED:  # begun before a restart, and done
        return {}
    try:
        if job["state"] == CANCELLING:  # asked for before a restart
            raise OperationCancelled
        for state in (QUEUED, PENDING):
            change_state(cloud, name, state)
            running.stage(name=state)
        told = work(running, change_state(cloud, name, PENDING))
    except OperationCancelled:
        change_state(cloud, name, CANCELLED, error=CANCELLED_ERROR, endTime=now())
    except ApiError as error:
        change_state(cloud, name, FAILED, error=error.as_operation_error(), endTime=now())
    else:
        change_state(cloud, name, FAILED if "error" in told else SUCCEEDED, endTime=now(), **told)
    return {}


def change_state(cloud: LocalCloud, name: str, state: str, **fields: object) -> Document:
    """KeyError when the job is gone. A job that has ended stays as it is, and one that is cancelled only ends."""

    def change(job: Document) -> None:
        if job["state"] in ENDED or (job["state"] == CANCELLING and state not in ENDED):
            return
        job.update(state=state, updateTime=now(), **fields)

    return cloud.store.update(name, change)
