"""Every prediction that an endpoint answered: which deployed model, how it ended, how long it took.

What Cloud Monitoring counts is counted from these, so no figure is made up. Kept in a file, one JSON list per line, so
that a restart forgets nothing. Knows nothing of metrics or routes.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from localcloud.errors import ApiError
from localcloud.store import Document

MAX_PREDICTIONS = 100_000  # the newest; of older ones nothing is known any more
_FAILED = 500


class Prediction(NamedTuple):
    """One request, answered. ended: Unix time; model_ms: the container's part of total_ms."""

    ended: float
    endpoint: str
    deployed_model_id: str
    code: int
    instances: int
    total_ms: float
    model_ms: float
    model_name: str = ""  # the display names and the machine, as they were then
    endpoint_name: str = ""
    spot: bool = False


class PredictionLog:
    """Thread-safe."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._held: deque[Prediction] = deque(_read(path), maxlen=MAX_PREDICTIONS)
        self._file = path.open("w")
        self._file.writelines(_line(one) for one in self._held)
        self._file.flush()

    def add(self, prediction: Prediction) -> None:
        with self._lock:
            self._held.append(prediction)
            if not self._file.closed:  # an answer that comes while everything ends
                self._file.write(_line(prediction))
                self._file.flush()

    def between(self, start: float, end: float) -> list[Prediction]:
        """Those that ended after the start, and not after the end."""
        with self._lock:
            return [one for one in self._held if start < one.ended <= end]

    def close(self) -> None:
        with self._lock:
            self._file.close()


class Answering:
    """One request on its way to its answer. Counted once it has one, if a deployed model was chosen for it."""

    def __init__(self, log: PredictionLog) -> None:
        self.instances = 1
        self._log = log
        self._began = time.monotonic()
        self._model_s = 0.0
        self._chosen: tuple[Document, Document] | None = None
        self._has_ended = False

    def chosen(self, endpoint: Document, deployed: Document) -> None:
        self._chosen = (endpoint, deployed)

    @contextmanager
    def by_model(self) -> Iterator[None]:
        """Around what the container takes, and not we."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._model_s += time.monotonic() - began

    def end(self, code: int) -> None:
        if self._has_ended or self._chosen is None:
            return
        self._has_ended = True
        endpoint, deployed = self._chosen
        self._log.add(
            Prediction(
                ended=time.time(),
                endpoint=endpoint["name"],
                deployed_model_id=deployed["id"],
                code=code,
                instances=self.instances,
                total_ms=round((time.monotonic() - self._began) * 1000, 3),
                model_ms=round(self._model_s * 1000, 3),
                model_name=str(deployed.get("displayName") or ""),
                endpoint_name=str(endpoint.get("displayName") or ""),
                spot=bool(deployed.get("dedicatedResources", {}).get("spot")),
            )
        )


@contextmanager
def answering(log: PredictionLog) -> Iterator[Answering]:
    """Counts what the block refuses; what it answers, it ends itself."""
    one = Answering(log)
    try:
        yield one
    except ApiError as error:
        one.end(error.http_status)
        raise
    except Exception:
        one.end(_FAILED)
        raise


def _line(prediction: Prediction) -> str:
    return json.dumps(prediction) + "\n"


def _read(path: Path) -> Iterator[Prediction]:
    """A line that a killed process left half-written is skipped."""
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
            if isinstance(row, list):
                yield Prediction(*row)
        except (ValueError, TypeError):
            continue
