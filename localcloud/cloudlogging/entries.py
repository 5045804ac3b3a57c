"""Log entries as Cloud Logging has them, out of the files that containers and builds really write.

A container writes to its file itself, so a line has no time of its own: it gets that of the start it belongs to,
and a microsecond more than the line before. Knows no routes and no filters.
Source: entries of `aiplatform.googleapis.com/prediction_container` and `cloudbuild` as the live service writes them.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from localcloud.cloud import LocalCloud
from localcloud.cloudlogging.filters import SEVERITIES
from localcloud.store import Document

MAX_LINES = 20_000  # of one file: the newest
DEFAULT_PORT = 8080
_NOTE = re.compile(r"^\[localcloud (?P<time>\S+)\] \S+ (?P<text>.*)$")
_PORT = re.compile(r" on port (\d+)$")


def of_endpoints(cloud: LocalCloud, project: str) -> Iterator[Document]:
    """Lines of the containers behind every endpoint of a project, each container's in order."""
    for file in sorted((cloud.logs_dir / "vertex" / project).glob("*/*/*/*.log")):
        location, endpoint, deployed_id = file.parts[-4:-1]
        parent = f"projects/{project}/locations/{location}/endpoints/{endpoint}"
        deployed = _deployed(cloud, parent, deployed_id)
        if deployed.get("disableContainerLogging"):
            continue
        frame = {
            "resource": {
                "type": "aiplatform.googleapis.com/Endpoint",
                "labels": {
                    "endpoint_id": endpoint,
                    "location": location,
                    "resource_container": f"projects/{cloud.projects.number(project)}",
                },
            },
            "labels": {"deployed_model_id": deployed_id, "replica_id": f"{deployed_id}-{file.name.partition('.')[0]}"},
            "severity": "INFO",
            "logName": f"projects/{project}/logs/aiplatform.googleapis.com%2Fprediction_container",
        }
        port = _declared_port(cloud, deployed)
        for time, line in lines_of(file, port=port):
            where = f"{location}-{endpoint}-{deployed_id}-{file.stem}-{time}"
            yield {**frame, "insertId": where, "timestamp": time, **_payload(line)}


def _payload(line: str) -> Document:
    """A line that is a JSON object is taken as its fields, and as severe as it says: structured logging."""
    try:
        fields = json.loads(line) if line.startswith("{") else None
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return {"jsonPayload": {"message": line}}
    severity = fields.pop("severity", None)
    return {"jsonPayload": fields, **({"severity": severity} if severity in SEVERITIES else {})}


def of_builds(cloud: LocalCloud, project: str) -> Iterator[Document]:
    for build in cloud.store.list("build", under=f"projects/{project}/locations"):
        file = cloud.logs_dir / "builds" / f"{build['id']}.log"
        labels = {"build_id": build["id"], "build_trigger_id": build.get("buildTriggerId", ""), "project_id": project}
        if build.get("options", {}).get("logging") in ("NONE", 4) or not file.is_file():
            continue
        began = datetime.fromisoformat(build["createTime"])
        for number, line in enumerate(_tail(file)):
            time = _written(began + timedelta(microseconds=number))
            yield {
                "insertId": f"{build['id']}-{number}",
                "timestamp": time,
                "textPayload": line,
                "severity": "INFO",
                "resource": {"type": "build", "labels": labels},
                "logName": f"projects/{project}/logs/cloudbuild",
            }


def lines_of(file: Path, *, port: int = DEFAULT_PORT) -> Iterator[tuple[str, str]]:
    """Time and text of what the container itself printed.

    Its port is one of this machine's, and stands for the declared one, as for a container with a network of its own.
    """
    began, given, number = datetime.fromtimestamp(file.stat().st_mtime).astimezone(), "", 0
    for line in _tail(file):
        note = _NOTE.match(line)
        if note is not None:
            began, number = datetime.fromisoformat(note["time"]), 0
            found = _PORT.search(note["text"])
            given = found[1] if found else given
            continue
        number += 1
        text = re.sub(rf"(?<=[:= ]){given}\b", str(port), line) if given else line
        yield _written(began + timedelta(microseconds=number)), text


def _tail(file: Path) -> deque[str]:
    with file.open(errors="replace") as log:
        return deque((line.rstrip("\r\n") for line in log), maxlen=MAX_LINES)


def _written(when: datetime) -> str:
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _deployed(cloud: LocalCloud, endpoint: str, deployed_id: str) -> Document:
    """What was asked to be deployed under an id, even if it never came up; {} when nobody remembers."""
    shown = cloud.store.get(endpoint) or {}
    for one in shown.get("deployedModels", []):
        if one["id"] == deployed_id:
            return dict(one)
    for operation in reversed(cloud.store.list("operation", under=endpoint)):
        wanted = operation.get("_arguments", {}).get("deployedModel", {})
        if wanted.get("id") == deployed_id:
            return dict(wanted)
    return {}


def _declared_port(cloud: LocalCloud, deployed: Document) -> int:
    version = cloud.store.get(f"{deployed.get('model')}@{deployed.get('modelVersionId')}") or {}
    ports = version.get("containerSpec", {}).get("ports") or [{}]
    return int(ports[0].get("containerPort", DEFAULT_PORT))
