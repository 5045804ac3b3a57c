"""The local cloud's own routes: its status, its end, its faults, its journal, its containers' logs.

Everything under /localcloud/; Google has no such thing.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import ValidationError

from localcloud.cloud import LocalCloud
from localcloud.errors import invalid, not_found
from localcloud.faults import Fault
from localcloud.images.store import ImageConfig, parse_image
from localcloud.runtime.process import Process
from localcloud.runtime.task import Task
from localcloud.store import Document
from localcloud.wire import JsonBody

VERSION = "0.1.0"
MAX_LOG_LINES = 10_000


def router(cloud: LocalCloud, *, stop: Callable[[], None]) -> APIRouter:
    routes = APIRouter(prefix="/localcloud")

    @routes.get("/status")
    def status() -> Document:
        return {
            "pid": os.getpid(),
            "version": VERSION,
            "data_dir": str(cloud.data_dir),
            "url": cloud.base_url,
            "dedicated_url": cloud.dedicated_url,
            "projects": cloud.projects.known(),
            "resources": cloud.store.count_by_kind(),
            "processes": _processes(cloud),
        }

    @routes.post("/stop")
    def stop_() -> Document:
        """Answers first; then containers get SIGTERM, and the local cloud exits with 0."""
        stop()
        return {"pid": os.getpid(), "stopping": True}

    _add_records(routes, cloud)
    _add_images(routes, cloud)
    _add_faults(routes, cloud)
    return routes


def _processes(cloud: LocalCloud) -> list[Document]:
    """What serves, and what runs to an end."""
    served = [
        {"image": one.spec.image, "reason": one.reason, "restarts": one.restarts, "log": str(one.spec.log)} | _seen(one)
        for one in cloud.supervisor.list()
    ]
    tasks = [
        {"image": one.image, "reason": "", "restarts": 0, "log": str(one.log)} | _seen(one)
        for one in cloud.tasks.list()
    ]
    return served + tasks


def _seen(one: Process | Task) -> Document:
    return {"pid": one.pid, "name": one.name, "port": one.port, "state": one.state}


def _add_records(routes: APIRouter, cloud: LocalCloud) -> None:
    @routes.get("/logs/{path:path}", response_class=PlainTextResponse)
    def logs(path: str, lines: int = 200) -> str:
        """The end of a container's log; it stays when the container is gone."""
        file = (cloud.logs_dir / path).resolve()
        if not file.is_relative_to(cloud.logs_dir) or not file.is_file():
            raise not_found(f"logs/{path}")
        with file.open(errors="replace") as log:
            return "".join(deque(log, maxlen=max(1, min(lines, MAX_LOG_LINES))))

    @routes.get("/journal")
    def journal(method: str | None = None, path: str | None = None) -> Document:
        try:
            return {"requests": cloud.journal.entries(method=method, path=path)}
        except re.error as error:
            raise invalid(f"path {path!r} is no regular expression: {error}") from error

    @routes.delete("/journal")
    def forget() -> Document:
        cloud.journal.clear()
        return {}


def _add_images(routes: APIRouter, cloud: LocalCloud) -> None:
    @routes.post("/images")
    def load_image(body: JsonBody) -> Document:
        """{"uri": with a tag, "folder": its root, "config": {"cmd", "env", "workdir"…}}: an image without a build."""
        name, folder = parse_image(str(body.get("uri"))), Path(str(body.get("folder")))
        if name.tag is None or not folder.is_dir():
            raise invalid(f"An image needs a tag and an existing folder; got {body.get('uri')!r}, {str(folder)!r}.")
        try:
            config = ImageConfig(**(body.get("config") or {}))
        except TypeError as error:
            raise invalid(f"This is no image config: {error}") from error
        with tempfile.TemporaryDirectory(dir=cloud.images.root) as scratch:
            rootfs = Path(shutil.copytree(folder, Path(scratch) / "rootfs", symlinks=True))
            digest = cloud.images.add(rootfs, config)
        cloud.images.push(name.path, name.tag, digest)
        return {"digest": digest}


def _add_faults(routes: APIRouter, cloud: LocalCloud) -> None:
    @routes.post("/faults")
    def add(body: JsonBody) -> Document:
        """{"match": {…}, "effect": {…}, "times": 1}: see `localcloud.faults` for the fields."""
        try:
            fault = Fault.model_validate(body)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise invalid(f"This is no fault: {problems}") from error
        cloud.faults.add(fault)
        return fault.model_dump()

    @routes.get("/faults")
    def list_() -> Document:
        return {"faults": cloud.faults.as_documents()}

    @routes.delete("/faults")
    def clear() -> Document:
        cloud.faults.remove()
        return {}

    @routes.delete("/faults/{fault_id}")
    def remove(fault_id: str) -> Document:
        cloud.faults.remove(fault_id)
        return {}
