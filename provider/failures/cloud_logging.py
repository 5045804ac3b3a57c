"""What a container of an endpoint or a build printed, from Cloud Logging.

Knows the filters and the two shapes of an entry; knows nothing of causes. A log that cannot be read is no error: the
failure that it was to explain is.
Source: Cloud Logging v2 entries.list; Vertex AI, "Use online inference logging"; Cloud Build, "View build logs".
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from urllib.parse import quote

from provider.api import Api, ApiError, JsonObject
from provider.failures.screen import Log
from provider.names import location_of, project_of
from tfplugin.resource import PluginError, Stopped

MAX_ENTRIES = 100
MAX_PAGES = 3  # Cloud Logging may answer an empty page while it searches on
EXCEPTIONS = ("exception", "stack_trace", "exc_info")  # where loggers that write JSON put a traceback
LINK = "https://console.cloud.google.com/logs/query;query={query}?project={project}"


def of_containers(api: Api, endpoint: str, *, since: str, stop: threading.Event, others: Collection[str] = ()) -> Log:
    """The last lines that an endpoint's containers printed since a time (RFC 3339), oldest first.

    others: ids of deployed models whose lines are not wanted.
    """
    terms = [
        'resource.type="aiplatform.googleapis.com/Endpoint"',
        f'resource.labels.endpoint_id="{endpoint.rpartition("/")[2]}"',
        f'resource.labels.location="{location_of(endpoint)}"',
        *([f'timestamp>="{since}"'] if since else []),
        *(f'labels.deployed_model_id!="{one}"' for one in sorted(others)),
    ]
    nothing = "The container printed nothing, or its log is switched off (disable_container_logging)."
    return _read(api, project_of(endpoint), " AND ".join(terms), stop, nothing, shown=terms[1])


def of_build(api: Api, project: str, build_id: str, *, stop: threading.Event) -> Log:
    """The last lines of a build's log."""
    found = f'resource.type="build" AND resource.labels.build_id="{build_id}"'
    nothing = "Cloud Logging has nothing of it (options.logging of the build may be NONE)."
    return _read(api, project, found, stop, nothing, shown=found)


def of_job(api: Api, job: str, *, stop: threading.Event) -> Log:
    """The last lines that a custom job's replicas printed."""
    found = f'resource.type="ml_job" AND resource.labels.job_id="{job.rpartition("/")[2]}"'
    nothing = "The job printed nothing, or its service account may not write logs (roles/logging.logWriter)."
    return _read(api, project_of(job), found, stop, nothing, shown=found)


def _read(api: Api, project: str, found: str, stop: threading.Event, nothing: str, *, shown: str) -> Log:
    """shown: the filter of the page for people, short enough for a screen."""
    where = LINK.format(query=quote(shown, safe=""), project=project)
    try:
        entries = _entries(api, project, found, stop)
    except ApiError as error:
        cure = " Reading it needs roles/logging.viewer." if error.status == 403 else ""
        return Log(note=f"It cannot be read: {error.summary}.{cure}", where=where)
    except (PluginError, Stopped) as error:
        return Log(note=f"It was not read: {error or type(error).__name__}.", where=where)
    lines = [line for entry in reversed(entries) for line in _text(entry).splitlines()]
    return Log(lines=lines, note=nothing, where=where)


def _entries(api: Api, project: str, found: str, stop: threading.Event) -> list[JsonObject]:
    """The newest first."""
    body: JsonObject = {"resourceNames": [f"projects/{project}"], "filter": found}
    body |= {"orderBy": "timestamp desc", "pageSize": MAX_ENTRIES}
    entries: list[JsonObject] = []
    for _ in range(MAX_PAGES):
        page = api.call("logging", "POST", "/v2/entries:list", stop=stop, json=body)
        entries += page.get("entries", [])
        if len(entries) >= MAX_ENTRIES or not page.get("nextPageToken"):
            break
        body["pageToken"] = page["nextPageToken"]
    return entries[:MAX_ENTRIES]


def _text(entry: JsonObject) -> str:
    """Containers' lines come as `jsonPayload.message` and, where they log as JSON, an exception; a build's as text."""
    payload = entry.get("jsonPayload") or {}
    parts = (payload.get("message"), *(payload.get(name) for name in EXCEPTIONS), entry.get("textPayload"))
    return "\n".join(str(part) for part in parts if part)
