"""What a training job found out about its model, as labels: `metrics.json` of the model folder that it wrote.

Labels are what Vertex AI keeps beside a model version: keys and values of at most 63 of a-z, 0-9, _ and -. So
`{"validation": {"rougeL": 43.12341}}` becomes `eval_rougel = "43_1234"`. Knows the file; knows nothing of jobs.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from provider.api import Api, JsonObject
from provider.limits import MAX_LABEL, MAX_LABELS

FILE = "metrics.json"
DECIMALS = 4
SPLITS = {"validation": "eval"}  # the trainers' own word for it
_NO_LABEL = re.compile(r"[^a-z0-9_-]")


def metric_labels(api: Api, output_uri: str, *, stop: threading.Event) -> dict[str, str] | None:
    """The labels of a model folder; None when it has no such file. output_uri: `gs://BUCKET/FOLDER`."""
    bucket, _, folder = output_uri.removeprefix("gs://").partition("/")
    name = quote(f"{folder.strip('/')}/{FILE}".lstrip("/"), safe="")
    found = api.find("storage", f"/storage/v1/b/{bucket}/o/{name}", stop=stop, params={"alt": "media"})
    return None if found is None else labels_of(found)


def labels_of(metrics: JsonObject) -> dict[str, str]:
    """The numbers and words of the file, nested names joined by `_`; what cannot be a label is left out."""
    pairs = ((key, text) for key, text in _flat(metrics, "") if text and re.match("[a-z]", key))
    return dict(sorted(pairs)[:MAX_LABELS])


def _flat(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            word = SPLITS.get(str(name), str(name)) if not key else str(name)
            yield from _flat(one, f"{key}_{word}" if key else word)
    elif isinstance(value, bool):
        yield _label(key), str(value).lower()
    elif isinstance(value, int | float) and abs(value) != float("inf") and value == value:
        text = f"{value:.{DECIMALS}f}" if isinstance(value, float) else str(value)
        yield _label(key), text.replace(".", "_")
    elif isinstance(value, str):
        yield _label(key), _label(value)


def _label(text: str) -> str:
    return _NO_LABEL.sub("_", text.lower())[:MAX_LABEL]
