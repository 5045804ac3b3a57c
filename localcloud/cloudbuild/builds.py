"""One build from QUEUED to its end: source, steps, images, and a log that can be read meanwhile.

A build is a document that its operation works on; it can begin again after a restart of the local cloud.
Source: Cloud Build v1, projects.builds.
"""

from __future__ import annotations

import base64
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.cloud import LocalCloud
from localcloud.cloudbuild.source import SourceFailed, fetch
from localcloud.cloudbuild.steps import StepFailed, Workshop
from localcloud.cloudbuild.substitutions import checked, substituted
from localcloud.cloudbuild.validation import DEFAULT_TIMEOUT_S, check_build, seconds
from localcloud.errors import ApiError
from localcloud.images.store import parse_image
from localcloud.operations import OperationCancelled, RunningOperation, now
from localcloud.store import Document

KIND = "build"
RUNNING = ("PENDING", "QUEUED", "WORKING")
METADATA_TYPE = "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata"
BUILD_TYPE = "type.googleapis.com/google.devtools.cloudbuild.v1.Build"


def build_name(project: str, location: str, build_id: str) -> str:
    return f"projects/{project}/locations/{location}/builds/{build_id}"


class Builds:
    """The builds of all projects."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def submit(self, project: str, location: str, body: Document, *, trigger_id: str | None = None) -> Document:
        """Queues a build; returns the operation, as builds.create and triggers.run answer."""
        check_build(body)
        build_id = str(uuid.uuid4())
        name = build_name(project, location, build_id)
        given = checked(body.get("substitutions", {}))
        document = {
            **body,
            "id": build_id,
            "name": name,
            "_operation": f"{name}/operations/{build_id}",
            "projectId": project,
            "status": "QUEUED",
            "createTime": now(),
            "substitutions": given,
            "timeout": body.get("timeout", f"{DEFAULT_TIMEOUT_S:g}s"),
            "logUrl": f"{self._cloud.base_url}/localcloud/logs/builds/{build_id}.log",
            **({"buildTriggerId": trigger_id} if trigger_id else {}),
        }
        self._cloud.store.put(name, kind=KIND, document=document)
        self._cloud.operations.start("build", prefix=name, arguments={"build": name}, operation_id=build_id)
        return self.operation(document)

    def get(self, project: str, location: str, build_id: str) -> Document:
        """A build by id; `-` or `global` for a build of any location, as the global path has it."""
        document = self._settled(self._cloud.store.get(build_name(project, location, build_id)))
        if document is None and location in ("-", "global"):
            document = next((one for one in self.list(project, "-") if one["id"] == build_id), None)
        if document is None:
            raise ApiError("NOT_FOUND", f"Requested entity was not found: build {build_id}")
        return document

    def list(self, project: str, location: str) -> list[Document]:
        """Newest first."""
        parent = f"projects/{project}/locations" + ("" if location in ("-", "global") else f"/{location}/builds")
        found = [self._settled(one) for one in self._cloud.store.list(KIND, under=parent)]
        return [one for one in found if one is not None][::-1]

    def _settled(self, document: Document | None) -> Document | None:
        """The build; as INTERNAL_ERROR when its operation ended without it: by a fault, or by an error of ours."""
        if document is None or document["status"] not in RUNNING:
            return document
        operation = self._cloud.store.get(document["_operation"])
        if operation is None:  # it is about to begin
            return document
        document = self._cloud.store.get(document["name"])  # again: it may have ended between the two looks
        if document is None or not operation["done"] or document["status"] not in RUNNING:
            return document
        message = operation.get("error", {}).get("message", "the build's work ended without a result")
        self._end(document["name"], "INTERNAL_ERROR", message, self._log_of(document))
        return self._cloud.store.get(document["name"])

    def cancel(self, document: Document) -> Document:
        if document["status"] in RUNNING:
            self._cloud.operations.cancel(document["_operation"])
            self._cloud.operations.wait(document["_operation"], timeout_s=10)
        return self._cloud.store.get(document["name"]) or document

    def operation(self, document: Document) -> Document:
        """The build's operation under Cloud Build's own name for it."""
        encoded = base64.urlsafe_b64encode(document["id"].encode()).decode().rstrip("=")
        answer: Document = {
            "name": f"operations/build/{document['projectId']}/{encoded}",
            "metadata": {"@type": METADATA_TYPE, "build": shown(document)},
        }
        if document["status"] in RUNNING:
            return answer
        answer["done"] = True
        if document["status"] == "SUCCESS":
            answer["response"] = {"@type": BUILD_TYPE, **shown(document)}
        else:
            message = f"Build {document['status']}: {document.get('statusDetail', '')}"
            answer["error"] = ApiError("ABORTED", message).as_operation_error()
        return answer

    def work(self, running: RunningOperation) -> Document:
        """The operation's work. A failed build is a finished operation: the build's status tells."""
        name = running.arguments["build"]
        document = self._cloud.store.get(name)
        if document is None:
            raise ApiError("NOT_FOUND", name)
        log = self._log_of(document)
        folder = self._cloud.data_dir / "builds" / document["id"]
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "workspace").mkdir(parents=True)
        (folder / "scratch").mkdir()
        try:
            running.stage()
            self._set(name, status="WORKING", startTime=now())
            self._carry_out(running, document, folder, log)
            self._end(name, "SUCCESS", "", log)
        except OperationCancelled:
            self._end(name, "CANCELLED", "the build was cancelled", log)
        except TimeoutError as error:
            self._end(name, "TIMEOUT", str(error), log)
        except (StepFailed, SourceFailed) as error:
            self._end(name, "FAILURE", str(error), log)
        except ApiError as error:
            is_begun = (self._cloud.store.get(name) or {}).get("status") == "WORKING"
            self._end(name, "FAILURE" if is_begun else "INTERNAL_ERROR", error.message, log)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return {}

    def _carry_out(
        self, running: RunningOperation, document: Document, folder: Path, log: Callable[[str], None]
    ) -> None:
        log(f'starting build "{document["id"]}"')
        fetched = fetch(self._cloud, document.get("source", {}), folder / "workspace")
        log(f"FETCHSOURCE {fetched.what}")
        variables = self._built_in(document) | fetched.built_in | document["substitutions"]
        workshop = Workshop(
            workspace=folder / "workspace",
            folder=fetched.folder,
            scratch=folder / "scratch",
            images=self._cloud.images,
            environment=substituted(document.get("options", {}).get("env", []), variables),
            log=log,
            check=running.check,
            push=self._push,
            built={},
        )
        left_s = seconds(document["timeout"], DEFAULT_TIMEOUT_S)
        steps = substituted(document["steps"], variables)
        for number, step in enumerate(steps):
            log(f"Step #{number}{' - ' + repr(step['id']) if step.get('id') else ''}: {step.get('name')}")
            left_s = self._run_step(running, document["name"], number, step, workshop, left_s)
        results = []
        for uri in substituted(document.get("images", []), variables):
            began = now()
            digest = workshop.push_image(uri)
            results.append({"name": uri, "digest": digest, "pushTiming": {"startTime": began, "endTime": now()}})
        self._set(document["name"], results={"images": results})

    def _built_in(self, document: Document) -> dict[str, str]:
        trigger = self._cloud.store.get(
            f"{document['name'].partition('/builds/')[0]}/triggers/{document.get('buildTriggerId')}"
        )
        return {
            "PROJECT_ID": document["projectId"],
            "PROJECT_NUMBER": self._cloud.projects.number(document["projectId"]),
            "BUILD_ID": document["id"],
            "LOCATION": document["name"].split("/")[3],
            "TRIGGER_NAME": trigger["name"] if trigger else "",
            "SERVICE_ACCOUNT": document.get("serviceAccount", ""),
        }

    def _run_step(
        self, running: RunningOperation, name: str, number: int, step: Document, workshop: Workshop, left_s: float
    ) -> float:
        """Runs one step; returns how much of the build's time is left."""
        started, limit_s = time.monotonic(), min(left_s, seconds(step.get("timeout"), left_s))
        self._set_step(name, number, "WORKING")
        running.stage(name=str(step.get("id") or step.get("name")))
        try:
            workshop.run(step, timeout_s=limit_s)
        except StepFailed as error:
            is_late = time.monotonic() - started >= left_s
            self._set_step(name, number, "TIMEOUT" if is_late else "FAILURE")
            if is_late:
                raise TimeoutError("the build took longer than its timeout") from error
            raise StepFailed(f"build step {number} {step.get('name')!r} failed: {error}") from error
        self._set_step(name, number, "SUCCESS")
        return left_s - (time.monotonic() - started)

    def _push(self, uri: str, digest: str) -> None:
        """Into a repository that exists, and never over an immutable tag."""
        image = parse_image(uri)
        repository = self._cloud.store.get(image.repository)
        if repository is None:
            raise StepFailed(f'failed to push {uri}: name unknown: Repository "{image.repository_id}" not found')
        tag = image.tag or "latest"
        immutable = repository.get("dockerConfig", {}).get("immutableTags")
        held = self._cloud.images.packages(image.path.rpartition("/")[0]).get(image.package, {}).get("tags", {})
        if immutable and held.get(tag, digest) != digest:
            raise StepFailed(f"failed to push {uri}: the tag is immutable and names another image")
        self._cloud.images.push(image.path, tag, digest)

    def _log_of(self, document: Document) -> Callable[[str], None]:
        path = self._cloud.logs_dir / "builds" / f"{document['id']}.log"
        path.parent.mkdir(parents=True, exist_ok=True)

        def log(line: str) -> None:
            with path.open("a") as out:
                out.write(line + "\n")

        return log

    def _end(self, name: str, status: str, detail: str, log: Callable[[str], None]) -> None:
        log(f"{'DONE' if status == 'SUCCESS' else 'ERROR: ' + detail}")
        fields: dict[str, Any] = {"status": status, "finishTime": now()}
        if detail:
            fields |= {"statusDetail": detail, "failureInfo": {"type": "USER_BUILD_STEP", "detail": detail}}
        self._set(name, **fields)

    def _set(self, name: str, **fields: Any) -> None:
        self._cloud.store.update(name, lambda document: document.update(fields))

    def _set_step(self, name: str, number: int, status: str) -> None:
        self._cloud.store.update(name, lambda document: document["steps"][number].update(status=status))


def shown(document: Document) -> Document:
    return {key: value for key, value in document.items() if not key.startswith("_")}
