"""What a container answers to one batch of a batch prediction, instance by instance.

Knows the predict route and its body; knows nothing of jobs, buckets or processes.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from localcloud.store import Document

TRIES, PAUSE_S = 3, 0.2  # for what may pass: 429 and 5xx
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Answer:
    """What became of one instance: a prediction, or an error as google.rpc.Status has it."""

    instance: Any
    prediction: Any = None
    error: Document | None = None

    def line(self) -> str:
        told = {"prediction": self.prediction} if self.error is None else {"error": self.error}
        return json.dumps({"instance": self.instance, **told}, ensure_ascii=False) + "\n"


def predicted(url: str, batch: list[Any], parameters: Any) -> list[Answer]:
    """An answer for each instance of the batch."""
    body = {"instances": batch, **({"parameters": parameters} if parameters is not None else {})}
    problem: Document = {}
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S * 2**attempt)
        try:
            response = httpx.post(url, json=body, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            problem = {"code": 14, "message": f"The container did not answer: {type(error).__name__}: {error}"}
            continue
        if response.status_code == 200:
            return _paired(batch, response)
        problem = {"code": 3, "message": f"Non-OK result {response.status_code} ({response.text[:500]})"}
        if response.status_code != 429 and response.status_code < 500:
            break
        problem["code"] = 13
    return [Answer(one, error=problem) for one in batch]


def _paired(batch: list[Any], response: httpx.Response) -> list[Answer]:
    try:
        predictions = list(response.json()["predictions"])
    except (ValueError, KeyError, TypeError):
        predictions = []
    if len(predictions) == len(batch):
        return [Answer(one, prediction=told) for one, told in zip(batch, predictions, strict=True)]
    error = {"code": 13, "message": f"The container gave {len(predictions)} predictions for {len(batch)} instances."}
    return [Answer(one, error=error) for one in batch]


def stats(answers: list[Answer], total: int) -> Document:
    """Counts as int64 have them in JSON: text."""
    failed = sum(one.error is not None for one in answers)
    stats = {"successfulCount": len(answers) - failed, "failedCount": failed, "incompleteCount": total - len(answers)}
    return {key: str(value) for key, value in stats.items() if value}
