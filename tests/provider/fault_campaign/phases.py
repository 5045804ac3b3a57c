"""The phases of the provider's work, and the faults that each of them meets. Data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

FAULTS = (
    "terraform SIGINT",
    "terraform SIGKILL",
    "provider SIGKILL",
    "local cloud restarted",
    "connection lost",
    "answer lost",
    "429",
    "503",
    "operation fails",
    "operation never ends",
)


@dataclass
class Phase:
    """Where a fault strikes. told: the progress phase that says it is reached; operation: what can be held or failed
    there; call: method and path of the request that begins it; polls: what is asked while it lasts."""

    name: str
    told: str
    call: tuple[str, str]
    polls: str
    operation: dict[str, str] = field(default_factory=dict)
    command: str = "apply"


GETTING = {"operation": "deployModel", "stage": "GETTING"}
DEPLOY_CALL, UNDEPLOY_CALL = ("POST", ":deployModel"), ("POST", ":undeployModel")
UPLOAD_CALL, SUBMIT_CALL = ("POST", "models:upload"), ("POST", "/customJobs$")
UNDEPLOY = {"operation": "undeployModel"}
MUTATE = {"operation": "mutateDeployedModel"}
UPLOAD = {"operation": "uploadModel"}
JOB = "/customJobs/"
PHASES = (
    Phase("deploy", "GETTING_CONTAINER_IMAGE", DEPLOY_CALL, "/operations/", GETTING),
    Phase("replace", "GETTING_CONTAINER_IMAGE", DEPLOY_CALL, "/operations/", GETTING),
    Phase("scale", "CHANGING", ("POST", ":mutateDeployedModel"), "/operations/", MUTATE),
    Phase("shift traffic", "WATCHING 20 %", ("PATCH", "/endpoints/"), "/endpoints/"),
    Phase("undeploy old", "UNDEPLOYING", UNDEPLOY_CALL, "/operations/", UNDEPLOY),
    Phase("destroy", "UNDEPLOYING", UNDEPLOY_CALL, "/operations/", UNDEPLOY, "destroy"),
    Phase("build", "WORKING", ("POST", "/builds"), "/builds/", {"operation": "build", "stage": "docker"}),
    Phase("upload", "UPLOADING", UPLOAD_CALL, "/operations/", UPLOAD),
    Phase("upload version", "UPLOADING", UPLOAD_CALL, "/operations/", UPLOAD),
    Phase("delete model", "DELETING", ("DELETE", "/models/"), "/operations/", {"operation": "deleteModel"}, "destroy"),
    Phase("submit job", "QUEUED", SUBMIT_CALL, JOB, {"operation": "customJob", "stage": "QUEUED"}),
    Phase("run job", "RUNNING", SUBMIT_CALL, JOB, {"operation": "customJob", "stage": "RUNNING"}),
    Phase("cancel job", "CANCELLING", ("POST", ":cancel"), JOB, {}, "destroy"),
    Phase("delete job", "DELETING", ("DELETE", JOB), "/operations/", {"operation": "deleteCustomJob"}, "destroy"),
)
# Every one of the rest has the mark `campaign`.
ALWAYS = ("deploy",)


def combinations() -> Iterator[tuple[Phase, str]]:
    """Every phase with every fault that it can meet."""
    for phase in PHASES:
        for fault in FAULTS:
            if not fault.startswith("operation") or phase.operation:  # moving traffic is no long-running operation
                yield phase, fault
