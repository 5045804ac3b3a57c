"""Failures on demand: requests that are refused, delayed or dropped, operations that fail or never end.

A fault matches requests (method, path) or operations (kind of work), takes effect a number of times,
and is gone. Knows nothing of what it disturbs.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from localcloud.errors import CODES, ApiError
from localcloud.operations import Handler, RunningOperation
from localcloud.store import Document


class Fault(BaseModel):
    """One fault, as posted to /localcloud/faults.

    method, path: of the requests it meets (path is a regular expression, searched in the path).
    operation: kind of work it meets instead (`deployModel`, `uploadModel`, `build`…).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str | None = None
    path: str | None = None
    operation: str | None = None
    times: int = Field(1, ge=1)
    effect: Literal["refuse", "drop", "delay", "fail", "hold"]
    status: str = "UNAVAILABLE"
    message: str = "A fault was asked for."
    retry_after_s: int | None = None
    seconds: float = Field(1.0, ge=0)

    @field_validator("status")
    @classmethod
    def _is_a_code(cls, value: str) -> str:
        if value not in CODES:
            raise ValueError(f"got {value!r}; allowed are {', '.join(CODES)}")
        return value

    @model_validator(mode="after")
    def _meets_something(self) -> Fault:
        if (self.operation is None) == (self.path is None):
            raise ValueError("exactly one of path and operation must be given")
        if (self.effect in ("fail", "hold")) != (self.operation is not None):
            raise ValueError("fail and hold are for operations; refuse, drop and delay are for requests")
        return self

    def meets(self, method: str, path: str) -> bool:
        return self.path is not None and self.method in (None, method) and bool(re.search(self.path, path))


class Faults:
    """The faults that are still to take effect."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int]] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._left.append((fault, fault.times))

    def clear(self) -> None:
        with self._lock:
            self._left.clear()

    def pending(self) -> list[Document]:
        with self._lock:
            return [fault.model_dump(exclude_none=True) | {"times": left} for fault, left in self._left]

    def of_request(self, method: str, path: str) -> Fault | None:
        return self._take(lambda fault: fault.meets(method, path))

    def guarded(self, work: str, handler: Handler) -> Handler:
        """The handler, disturbed when a fault waits for this kind of work."""

        def run(running: RunningOperation) -> Document:
            fault = self._take(lambda one: one.operation == work)
            if fault is not None and fault.effect == "hold":
                running.stage(fault.seconds)
            elif fault is not None:
                running.stage()
                raise ApiError(fault.status, fault.message)
            return handler(running)

        return run

    def _take(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for index, (fault, left) in enumerate(self._left):
                if wanted(fault):
                    self._left[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                    return fault
        return None
