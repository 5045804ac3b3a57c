"""One revision of a Cloud Run service as a process: its command, its environment, its probe.

Source: Cloud Run's container contract (PORT, K_*). Knows nothing of a service's document or of operations.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError
from localcloud.metadata import host_for
from localcloud.runtime.environment import base_environment
from localcloud.runtime.probes import Probe, Probes
from localcloud.runtime.process import Process
from localcloud.store import Document

DEFAULT_PORT = 8080
START_TIMEOUT_S = 240.0
MAX_RESTARTS = 3


def revision_of(cloud: LocalCloud, template: Document, name: str) -> Document:
    """What is run, and run again: the image is pinned here, as a tag may move."""
    return {"name": name, "template": template, "digest": cloud.images.resolve(template["containers"][0]["image"])}


def start(cloud: LocalCloud, service: str, revision: Document, *, address: str | None) -> str:
    """Starts it in place of the service's process; returns its address, the one it had when that is free."""
    template, digest = revision["template"], revision["digest"]
    container = template["containers"][0]
    try:
        image = cloud.images.config(digest)
        process = cloud.supervisor.start(
            service,
            command=_command(container, image.command, image.entrypoint),
            cwd=cloud.images.rootfs(digest) / Path(image.workdir.lstrip("/")),
            env=_environment(cloud, service, revision, image.env),
            preferred_port=int(address.rpartition(":")[2]) if address else _port(container),
            port_variable="PORT",
            log=cloud.logs_dir / f"{service}.log",
            probes=_probes(container),
            image=f"{container['image'].partition('@')[0].partition(':')[0]}@{digest}",
        )
    except (OSError, ValueError) as error:  # no port, no image any more, no command
        raise ApiError("FAILED_PRECONDITION", f"Revision '{revision['name']}' cannot be run: {error}") from error
    return f"http://127.0.0.1:{process.port}"


def wait_ready(cloud: LocalCloud, service: str, *, check: Callable[[], None]) -> None:
    """Returns when it listens. ApiError with its last words when it does not; `check` may raise meanwhile."""
    process = cloud.supervisor.get(service)
    if process is None:
        raise ApiError("ABORTED", f"{service} was stopped while it was deployed.")
    waited = 0.0
    while not process.wait_healthy(0.2):
        check()
        waited += 0.2
        if process.restarts >= MAX_RESTARTS or process.state == "stopped" or waited > START_TIMEOUT_S:
            raise _not_ready(service, process)


def _not_ready(service: str, process: Process) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        f"Revision '{service.rpartition('/')[2]}' is not ready and cannot serve traffic. The user-provided "
        f"container failed to start and listen on the port defined provided by the PORT={process.port} "
        f"environment variable. The last lines of its log:\n{process.log_tail(15)}",
    )


def _environment(cloud: LocalCloud, service: str, revision: Document, of_image: dict[str, str]) -> dict[str, str]:
    template = revision["template"]
    given = {entry["name"]: str(entry.get("value", "")) for entry in template["containers"][0].get("env", [])}
    env = base_environment({**of_image, **given}, metadata_host=cloud.metadata_host, data_dir=cloud.data_dir)
    env["GCE_METADATA_HOST"] = host_for(cloud, template.get("serviceAccount"))
    name = service.rpartition("/")[2]
    return env | {"K_SERVICE": name, "K_REVISION": revision["name"].rpartition("/")[2], "K_CONFIGURATION": name}


def _command(container: Document, command: list[str], entrypoint: list[str]) -> list[str]:
    if container.get("command"):
        return [*container["command"], *container.get("args", [])]
    return [*entrypoint, *container["args"]] if container.get("args") else list(command)


def _port(container: Document) -> int:
    ports = container.get("ports") or [{}]
    return int(ports[0].get("containerPort", DEFAULT_PORT))


def _probes(container: Document) -> Probes:
    """The startup probe; by default an open port, for four minutes. A running process is only watched."""
    given = container.get("startupProbe", {})
    window_s = (
        float(given.get("periodSeconds", 10)) * int(given.get("failureThreshold", 3)) if given else START_TIMEOUT_S
    )
    path = given.get("httpGet", {}).get("path")
    timeout_s = max(float(given.get("timeoutSeconds", 1)), 5.0)  # a laptop is slower than a cloud
    return Probes(startup=Probe(path=path, timeout_s=timeout_s, window_s=max(window_s, 60.0)))
