"""Faults on demand: what shall go wrong, where, and how often. For tests and for rehearsals.

A fault matches requests (method, path), stages of operations (kind of work, stage) or containers
(process name). Knows which fault is due; those who ask do the harm.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from localcloud.errors import CODES, ApiError

# Google's own words for the failures that users meet most.
PRESETS: dict[str, tuple[str, str]] = {
    "quota": (
        "RESOURCE_EXHAUSTED",
        "The following quotas are exceeded: CustomModelServingA100GPUsPerProjectPerRegion",
    ),
    "stockout": (
        "RESOURCE_EXHAUSTED",
        "Machine type temporarily unavailable, please deploy with a different machine type or retry. "
        "There are not enough resources in the region (stockout).",
    ),
    "never_ready": ("FAILED_PRECONDITION", "Model server never became ready."),
    "exited": ("FAILED_PRECONDITION", "Model server exited unexpectedly."),
    "unavailable": ("UNAVAILABLE", "The service is currently unavailable."),
    "too_many_requests": ("RESOURCE_EXHAUSTED", "Quota exceeded for requests per minute per region."),
    "internal": ("INTERNAL", "Internal error encountered."),
    "permission": ("PERMISSION_DENIED", "The caller does not have permission."),
    "quota_zero": (
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric 'aiplatform.googleapis.com/custom_model_serving_nvidia_a100_gpus' and limit "
        "'CustomModelServingA100GPUsPerProjectPerRegion' of service 'aiplatform.googleapis.com' for consumer "
        "'project_number:123456789012'.",
    ),
    "image_permission": (
        "FAILED_PRECONDITION",
        "Failed to pull the container image: service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com: "
        'Permission "artifactregistry.repositories.downloadArtifacts" denied on resource '
        '"projects/other/locations/europe-west4/repositories/images" (or it may not exist)',
    ),
    "act_as": (
        "PERMISSION_DENIED",
        "You do not have permission to act as service account: flan-serving@flan.iam.gserviceaccount.com. "
        "(iam.serviceAccounts.actAs)",
    ),
    "artifact_permission": (
        "FAILED_PRECONDITION",
        "Service account `service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com` does not have "
        '`[storage.objects.get]` IAM permission(s) to the directory "gs://flan-models/xxl". Please either copy '
        "the files to the Google Cloud Storage bucket owned by your project, or grant the required IAM "
        "permission(s) to the service account.",
    ),
    "deploy_permission": (
        "PERMISSION_DENIED",
        "Permission 'aiplatform.endpoints.deploy' denied on resource "
        "'//aiplatform.googleapis.com/projects/flan/locations/europe-west4/endpoints/4242' (or it may not exist).",
    ),
}


# google.rpc.ErrorInfo, where the service adds one.
DETAILS: dict[str, dict[str, str]] = {
    "quota_zero": {
        "service": "aiplatform.googleapis.com",
        "quota_metric": "aiplatform.googleapis.com/custom_model_serving_nvidia_a100_gpus",
        "quota_limit": "CustomModelServingA100GPUsPerProjectPerRegion",
        "quota_limit_value": "0",
        "quota_location": "europe-west4",
    },
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Strict):
    """Where it strikes: requests (method and/or path), operations, or containers. Patterns are searched for."""

    method: str | None = None
    path: str | None = None
    operation: str | None = None  # kind of work, e.g. "deployModel"
    stage: str | None = None  # of that operation; None: its first
    container: str | None = None  # process name

    @field_validator("path", "operation", "stage", "container")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _names_one_place(self) -> Match:
        places = [self.method or self.path, self.operation, self.container]
        if sum(place is not None for place in places) != 1 or (self.stage and not self.operation):
            raise ValueError("say one of: method and/or path; operation, with or without stage; container")
        return self

    def request(self, method: str, path: str) -> bool:
        if not (self.method or self.path):
            return False
        return (self.method or method).upper() == method and re.search(self.path or "", path) is not None

    def operation_stage(self, work: str, stage: str) -> bool:
        if self.operation is None or not re.search(self.operation, work):
            return False
        return self.stage is None or re.search(self.stage, stage) is not None

    def process(self, name: str) -> bool:
        return self.container is not None and re.search(self.container, name) is not None


class Effect(_Strict):
    """What happens. `delay_s` and `hold` come first, then the rest."""

    delay_s: float = Field(0.0, ge=0, description="wait so long first")
    hold: bool = Field(False, description="wait until this fault is deleted")
    preset: str | None = Field(None, description="an error by name, see PRESETS")
    status: str | None = Field(None, description="a google.rpc code name, e.g. UNAVAILABLE")
    message: str = "A fault was asked for."
    retry_after_s: int | None = Field(None, description="requests: the Retry-After header")
    drop: Literal["before", "after"] | None = Field(
        None, description="requests: close the connection, before the work or after it was done"
    )
    exit_code: int | None = Field(None, description="containers: exit so instead of running the command")
    log: str = Field("", description="containers: printed before `exit_code`")
    unhealthy: bool = Field(False, description="containers: the health probe fails whatever it answers")

    @field_validator("preset")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in PRESETS:
            raise ValueError(f"{value!r} is none of {', '.join(sorted(PRESETS))}")
        return value

    @field_validator("status")
    @classmethod
    def _is_a_code(cls, value: str | None) -> str | None:
        if value is not None and value not in CODES:
            raise ValueError(f"{value!r} is none of {', '.join(CODES)}")
        return value

    def error(self) -> ApiError | None:
        if self.preset:
            info = DETAILS.get(self.preset)
            return ApiError(*PRESETS[self.preset], details=[_error_info(info)] if info else None)
        return ApiError(self.status, self.message) if self.status else None


def _error_info(metadata: dict[str, str]) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": "QUOTA_EXCEEDED", "domain": "googleapis.com", "metadata": metadata}


class Fault(_Strict):
    """One entry of the list. times: how often it strikes; null: until it is deleted."""

    match: Match
    effect: Effect
    times: int | None = Field(1, ge=1)
    id: str = Field(default_factory=lambda: uuid.uuid4().hex[:12])

    @model_validator(mode="after")
    def _suits_its_place(self) -> Fault:
        effect = self.effect
        for_requests = effect.drop is not None or effect.retry_after_s is not None
        for_containers = effect.exit_code is not None or effect.unhealthy
        for_errors = effect.preset is not None or effect.status is not None
        if self.match.container is not None:
            wrong = for_requests or for_errors
        else:
            wrong = for_containers or (for_requests and self.match.operation is not None)
        if wrong:
            raise ValueError(
                "requests take delay_s, hold, preset, status, retry_after_s, drop; operations take delay_s, hold, "
                "preset, status; containers take delay_s, hold, exit_code, log, unhealthy"
            )
        return self


class Faults:
    """Thread-safe list of faults; each `due_*` uses up one of the times of the fault it returns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._struck: dict[str, int] = {}

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)
            self._struck[fault.id] = 0

    def remove(self, fault_id: str | None = None) -> None:
        """One, or all; whoever they hold goes on."""
        with self._lock:
            self._faults = [fault for fault in self._faults if fault_id not in (None, fault.id)]

    def as_documents(self) -> list[dict[str, Any]]:
        """Used-up ones too, until they are deleted; `struck` counts."""
        with self._lock:
            return [{**fault.model_dump(), "struck": self._struck[fault.id]} for fault in self._faults]

    def is_held(self, fault: Fault) -> bool:
        return fault.effect.hold and any(other.id == fault.id for other in self._faults)

    def due_for_request(self, method: str, path: str) -> Fault | None:
        return self._take(lambda match: match.request(method, path))

    def due_for_operation(self, work: str, stage: str) -> Fault | None:
        return self._take(lambda match: match.operation_stage(work, stage))

    def due_for_container(self, name: str) -> Fault | None:
        return self._take(lambda match: match.process(name))

    def _take(self, matches: Callable[[Match], bool]) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if (fault.times is None or self._struck[fault.id] < fault.times) and matches(fault.match):
                    self._struck[fault.id] += 1
                    return fault
        return None
