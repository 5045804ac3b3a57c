"""What is known of an operation that failed, gathered for its screen: the container's log, its ports, the console.

Asks Google, but never fails: the failure itself must reach the user whatever cannot be read.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from provider.api import Api, ApiError, JsonObject
from provider.failures import cloud_logging
from provider.failures.screen import E, Log, explain
from provider.names import location_of, project_of
from provider.progress.phases import Progress, clock
from tfplugin.resource import PluginError, Stopped

CONSOLE = "https://console.cloud.google.com"
PAGES = {
    "endpoints": "/vertex-ai/online-prediction/locations/{location}/endpoints/{id}?project={project}",
    "models": "/vertex-ai/models/locations/{location}/models/{id}?project={project}",
    "triggers": "/cloud-build/triggers;region={location}/edit/{id}?project={project}",
    "customJobs": "/vertex-ai/locations/{location}/training/{id}?project={project}",
}
DEFAULT_PORT = 8080
SERVER_ERROR = 500
# Operations that start containers.
STARTING = ("DeployModelOperationMetadata", "MutateDeployedModelOperationMetadata")


def explained(error: E, operation: JsonObject, progress: Progress, *, api: Api, stop: threading.Event) -> E:
    """The error of a failed operation with its screen."""
    return explain(
        error,
        what=f"{progress.resource} {progress.identifier}",
        asked=progress.asked,
        phase=progress.told,
        elapsed=clock(progress.elapsed_s),
        log=_log_of(operation, api, stop),
        console=console_of(operation["name"]),
        operation=operation["name"],
        ports=_ports(progress.model, api, stop),
    )


@contextmanager
def asking(progress: Progress, name: str) -> Iterator[None]:
    """Calls that begin something: a refusal gets its screen. name: the resource whose page shows it to people.

    What is only out of reach, or Google's own trouble, stays as it is: it is no answer to what was asked.
    """
    try:
        yield
    except ApiError as error:
        if error.status and not error.status >= SERVER_ERROR:
            explain(
                error,
                what=f"{progress.resource} {progress.identifier}",
                asked=progress.asked,
                phase=progress.told,
                elapsed=clock(progress.elapsed_s),
                console=console_of(name),
            )
        raise


def console_of(name: str) -> str:
    """The page that shows a resource to people; empty where none is known."""
    found = re.match(r"projects/([^/]+)/locations/([^/]+)/(\w+)/([^/@]+)", name)
    page = PAGES.get(found[3]) if found else None
    return CONSOLE + page.format(project=found[1], location=found[2], id=found[4]) if found and page else ""


def _log_of(operation: JsonObject, api: Api, stop: threading.Event) -> Log:
    metadata = operation.get("metadata", {})
    kind = str(metadata.get("@type", "")).rpartition(".")[2]
    if kind not in STARTING:
        return Log()
    endpoint = operation["name"].partition("/operations/")[0]
    since = str(metadata.get("genericMetadata", {}).get("createTime", ""))
    # What failed is not listed; what is listed serves, and its lines tell nothing of the failure.
    others = _listed(endpoint, api, stop) if kind == STARTING[0] else ()
    return cloud_logging.of_containers(api, endpoint, since=since, stop=stop, others=others)


def _listed(endpoint: str, api: Api, stop: threading.Event) -> Collection[str]:
    try:
        shown = api.find("aiplatform", f"/v1/{endpoint}", stop=stop, region=location_of(endpoint)) or {}
    except (PluginError, Stopped):
        return ()
    return [str(one["id"]) for one in shown.get("deployedModels", [])]


def _ports(model: str, api: Api, stop: threading.Event) -> Collection[int]:
    """The ports that Vertex AI asks a model's container on; empty when Google does not tell."""
    if not model:
        return ()
    try:
        found = api.find("aiplatform", f"/v1/{model}", stop=stop, region=location_of(model)) or {}
    except (PluginError, Stopped):
        return ()
    if "containerSpec" not in found:
        return ()
    declared = found["containerSpec"].get("ports") or [{}]
    return [int(port.get("containerPort", DEFAULT_PORT)) for port in declared]


def console_of_build(build: JsonObject) -> str:
    """The build's log page, as Google gives it, or the one it is known to have."""
    name = str(build.get("name", ""))
    if build.get("logUrl") or not name:
        return str(build.get("logUrl", ""))
    place = f"region={location_of(name)}" if location_of(name) != "global" else "global"
    return f"{CONSOLE}/cloud-build/builds;{place}/{build['id']}?project={project_of(name)}"
