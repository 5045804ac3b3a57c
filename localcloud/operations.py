"""Long-running operations: started, polled, cancelled, and resumed after a restart.

An operation is a document with the kind of work and its arguments, so a handler registered for
that kind can begin again after a restart; a handler must therefore be able to run twice. Knows
nothing of what the work does or of HTTP.
"""

from __future__ import annotations

import builtins
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localcloud.errors import ApiError, not_found
from localcloud.faults import Faults
from localcloud.store import Document, Store


class OperationCancelled(Exception):
    """Raised inside a handler by `RunningOperation.stage` when the client cancelled it."""


class OperationsStopped(Exception):
    """Raised inside a handler when the local cloud shuts down; the operation stays unfinished."""


def now() -> str:
    """RFC 3339, UTC, as Google writes timestamps."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class RunningOperation:
    """What a handler sees: its arguments, its metadata, and the clock of the local cloud."""

    def __init__(self, operations: Operations, name: str, *, work: str, arguments: Document) -> None:
        self.name = name
        self.work = work
        self.arguments = arguments
        self._operations = operations
        self._cancelled = threading.Event()

    def set_metadata(self, **fields: Any) -> None:
        self._operations.merge_metadata(self.name, fields)

    def stage(self, seconds: float | None = None, *, name: str = "") -> None:
        """Lets one stage's time pass. Raises OperationCancelled, OperationsStopped, or the ApiError of a fault.

        name: what a fault may ask for, e.g. `GETTING_CONTAINER_IMAGE`.
        """
        self.meet_fault(name)
        self.pause(self._operations.stage_seconds if seconds is None else seconds)

    def pause(self, seconds: float) -> None:
        """Waits. Raises OperationCancelled or OperationsStopped meanwhile."""
        deadline = time.monotonic() + seconds
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            self._operations.stopping.wait(min(left, 0.1))
            self.check()

    def meet_fault(self, stage: str) -> None:
        """Waits or fails as a fault for this stage says; does nothing when none does."""
        fault = self._operations.faults.due_for_operation(self.work, stage)
        if fault is None:
            return
        self.pause(fault.effect.delay_s)
        while self._operations.faults.is_held(fault):
            self.pause(0.05)
        error = fault.effect.error()
        if error is not None:
            raise error

    def check(self) -> None:
        if self._operations.stopping.is_set():
            raise OperationsStopped
        if self._cancelled.is_set():
            raise OperationCancelled

    def cancel(self) -> None:
        self._cancelled.set()


Handler = Callable[[RunningOperation], Document]


class Operations:
    """All operations of all services. `register` every kind of work first, then `resume`."""

    def __init__(self, store: Store, *, stage_seconds: float, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.stopping = threading.Event()
        self.stage_seconds = stage_seconds
        self._store = store
        self._handlers: dict[str, Handler] = {}
        self._running: dict[str, RunningOperation] = {}
        self._threads: builtins.list[threading.Thread] = []
        self._changed = threading.Condition()

    def register(self, work: str, handler: Handler) -> None:
        self._handlers[work] = handler

    def start(
        self,
        work: str,
        *,
        prefix: str,
        arguments: Document,
        metadata: Document | None = None,
        response_type: str = "type.googleapis.com/google.protobuf.Empty",
        operation_id: str | None = None,
        cancellable: bool = True,
    ) -> Document:
        """Starts work and returns the operation's document at once.

        prefix: what its name begins with, before `/operations/{id}` (canonical project id).
        metadata: its `@type` included; `genericMetadata` times are kept when that key is present.
        response_type: the `@type` put on the handler's returned document.
        """
        operation_id = operation_id or str(uuid.uuid4().int % 10**19)
        name = f"{prefix}/operations/{operation_id}" if prefix else f"operations/{operation_id}"
        body = dict(metadata or {})
        if "genericMetadata" in body:
            body["genericMetadata"] = {"createTime": now(), "updateTime": now(), **body["genericMetadata"]}
        document = {
            "name": name,
            "done": False,
            "metadata": body,
            "_work": work,
            "_arguments": arguments,
            "_response_type": response_type,
            "_cancellable": cancellable,
        }
        self._store.put(name, kind="operation", document=document)
        self._launch(document)
        return public(document)

    def done(self, *, prefix: str, response: Document, response_type: str, metadata: Document) -> Document:
        """Records an operation that is finished as it is born."""
        name = f"{prefix}/operations/{uuid.uuid4().int % 10**19}"
        document = {
            "name": name,
            "done": True,
            "metadata": metadata,
            "response": {"@type": response_type, **response},
        }
        self._store.put(name, kind="operation", document=document)
        return document

    def get(self, name: str) -> Document:
        document = self._store.get(name)
        if document is None:
            raise not_found(name)
        return public(document)

    def wait(self, name: str, *, timeout_s: float) -> Document:
        """Returns when the operation is done or the time is over, whichever comes first."""
        with self._changed:
            self._changed.wait_for(lambda: self.get(name)["done"] or self.stopping.is_set(), timeout=timeout_s)
        return self.get(name)

    def cancel(self, name: str) -> None:
        """Asks it to stop; one that is done stays as it is. Raises FAILED_PRECONDITION where it cannot be."""
        document = self._store.get(name)
        if document is None:
            raise not_found(name)
        running = self._running.get(name)
        if running is None:
            return
        if not document.get("_cancellable", True):
            raise ApiError("FAILED_PRECONDITION", f"Operation {name} ({running.work}) cannot be cancelled.")
        running.cancel()

    def list(self, parent: str) -> builtins.list[Document]:
        return [public(document) for document in self._store.list("operation", under=parent)]

    def delete(self, name: str) -> None:
        """Forgets a finished one."""
        if not self.get(name)["done"]:
            raise ApiError("FAILED_PRECONDITION", f"Operation {name} is still running.")
        self._store.delete(name)

    def merge_metadata(self, name: str, fields: Document) -> None:
        def change(document: Document) -> None:
            document["metadata"].update(fields)
            if "genericMetadata" in document["metadata"]:
                document["metadata"]["genericMetadata"]["updateTime"] = now()

        self._store.update(name, change)

    def resume(self) -> None:
        """Begins every unfinished operation again; call once, after `register`."""
        for document in self._store.list("operation"):
            if not document["done"]:
                self._launch(document)

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Asks running handlers to leave; their operations stay unfinished, for `resume`."""
        self.stopping.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s)

    def _launch(self, document: Document) -> None:
        running = RunningOperation(self, document["name"], work=document["_work"], arguments=document["_arguments"])
        self._running[document["name"]] = running
        thread = threading.Thread(target=self._run, args=(running, document), name=document["_work"], daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _run(self, running: RunningOperation, document: Document) -> None:
        try:
            response = self._handlers[document["_work"]](running)
            outcome: Document = {"response": {"@type": document["_response_type"], **response}}
        except OperationsStopped:
            return
        except OperationCancelled:
            outcome = {"error": ApiError("CANCELLED", "The operation was cancelled.").as_operation_error()}
        except ApiError as error:
            outcome = {"error": error.as_operation_error()}
        except Exception as error:  # noqa: BLE001  the outermost frame of this thread: the client must get an answer
            outcome = {"error": ApiError("INTERNAL", f"{type(error).__name__}: {error}").as_operation_error()}
        self._finish(running.name, outcome)

    def _finish(self, name: str, outcome: Document) -> None:
        self._store.update(name, lambda document: document.update(done=True, **outcome))
        self._running.pop(name, None)
        with self._changed:
            self._changed.notify_all()


def public(document: Document) -> Document:
    """The document as a client sees it: without our own bookkeeping."""
    return {key: value for key, value in document.items() if not key.startswith("_")}
