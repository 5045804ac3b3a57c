"""The work of a custom job: its replicas as processes of this machine, from QUEUED to their end.

A job's process writes to Cloud Storage as on Vertex AI, by gs:// paths; `STORAGE_EMULATOR_HOST`, which Google's
clients heed, points it to the local one. The processes end with the local cloud; a job that ran then is started again
from its beginning when the local cloud is, and finds its checkpoints. Source: Vertex AI, "Training code requirements"
and "Distributed training".
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError
from localcloud.metadata import host_for
from localcloud.operations import RunningOperation, now
from localcloud.runtime.environment import base_environment
from localcloud.runtime.ports import Ports
from localcloud.runtime.task import Task
from localcloud.store import Document
from localcloud.vertex.jobs.custom_job_spec import output_of, timeout_s
from localcloud.vertex.jobs.documents import RUNNING, carry_out
from localcloud.vertex.jobs.documents import change_state as change
from localcloud.vertex.names import last, project_of
from localcloud.vertex.replicas import command_of

POLL_S = 0.05
PRIMARY = "workerpool0-0"


@dataclass(frozen=True)
class Replica:
    """One process of a job. rank: over all pools."""

    pool: int
    index: int
    rank: int
    port: int

    @property
    def name(self) -> str:
        return f"workerpool{self.pool}-{self.index}"


def log_of(cloud: LocalCloud, job: str, replica: str) -> Path:
    project, location = project_of(job), job.split("/")[3]
    return cloud.logs_dir / "custom_jobs" / project / location / last(job) / f"{replica}.log"


class CustomJobRuns:
    """Runs jobs; each in the thread of its operation."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._ports = Ports()

    def run(self, running: RunningOperation) -> Document:
        """The operation's work."""
        name = running.arguments["name"]
        carry_out(self._cloud, running, self._run_replicas)
        shutil.rmtree(self._scratch(name), ignore_errors=True)
        return {}

    def _scratch(self, job: str) -> Path:
        """Where its replicas' temporary files are, until it has ended."""
        return self._cloud.data_dir / "jobs" / last(job)

    def _run_replicas(self, running: RunningOperation, job: Document) -> Document:
        replicas = self._replicas(job)
        tasks: list[Task] = []
        try:
            for replica in replicas:
                tasks.append(self._task(job, replica, replicas))
            running.check()
            change(self._cloud, job["name"], RUNNING, startTime=job.get("startTime") or now())
            running.meet_fault(RUNNING)
            for task in tasks:
                self._cloud.tasks.start(task)
            self._watch(running, job, tasks)
            return {}
        except OSError as error:
            raise ApiError("INTERNAL", f"The job's processes cannot be started: {error}") from error
        finally:
            self._cloud.tasks.end(tasks)
            for replica in replicas:
                self._ports.give_back(replica.port)

    def _replicas(self, job: Document) -> list[Replica]:
        pools = job["jobSpec"]["workerPoolSpecs"]
        places = [(pool, index) for pool, spec in enumerate(pools) for index in range(int(spec.get("replicaCount", 0)))]
        return [Replica(pool, index, rank, self._ports.take()) for rank, (pool, index) in enumerate(places)]

    def _watch(self, running: RunningOperation, job: Document, tasks: list[Task]) -> None:
        """Returns when the primary replica has ended well; the others end then. Raises ApiError for a failed one."""
        deadline = time.monotonic() + timeout_s(job["jobSpec"])
        while True:
            for task in tasks:
                if task.poll() not in (None, 0):
                    raise self._failure(job, task)
            if tasks[0].exit_code == 0:
                return
            if time.monotonic() > deadline:
                raise ApiError(
                    "DEADLINE_EXCEEDED",
                    f"The job was stopped: it ran longer than its timeout, {timeout_s(job['jobSpec']):g} s.",
                )
            running.pause(POLL_S)

    def _failure(self, job: Document, task: Task) -> ApiError:
        replica = last(task.name)
        log = f"{self._cloud.base_url}/localcloud/logs/{task.log.relative_to(self._cloud.logs_dir)}"
        return ApiError(
            "INVALID_ARGUMENT",
            f"The replica {replica} exited with a non-zero status of {task.exit_code}. To find out more about why your "
            f"job exited please check the logs: {log}",
        )

    def _task(self, job: Document, replica: Replica, replicas: list[Replica]) -> Task:
        container = job["jobSpec"]["workerPoolSpecs"][replica.pool]["containerSpec"]
        digest = self._cloud.images.resolve(container["imageUri"])
        image = self._cloud.images.config(digest)
        folder = self._scratch(job["name"]) / replica.name
        folder.mkdir(parents=True, exist_ok=True)
        command = command_of(container, image)
        if not command:
            raise ApiError("INVALID_ARGUMENT", f"The image {container['imageUri']} has no command; give one.")
        declared = {entry["name"]: str(entry.get("value", "")) for entry in container.get("env", [])}
        return Task(
            f"{job['name']}/{replica.name}",
            command=command,
            cwd=self._cloud.images.rootfs(digest) / image.workdir.lstrip("/"),
            env=self._environment(job, {**image.env, **declared}, folder) | _distributed(job, replica, replicas),
            log=log_of(self._cloud, job["name"], replica.name),
            image=f"{container['imageUri'].partition('@')[0]}@{digest}",
            port=replica.port,
        )

    def _environment(self, job: Document, given: dict[str, str], folder: Path) -> dict[str, str]:
        spec = job["jobSpec"]
        env = base_environment(
            given,
            metadata_host=host_for(self._cloud, spec.get("serviceAccount")),
            data_dir=self._cloud.data_dir,
        )
        env |= {
            "GCE_METADATA_IP": self._cloud.metadata_host,
            "STORAGE_EMULATOR_HOST": self._cloud.base_url,
            "TMPDIR": str(folder),
            "CLOUD_ML_JOB_ID": last(job["name"]),
            "CLOUD_ML_PROJECT_ID": self._cloud.projects.number(project_of(job["name"])),
        }
        output = output_of(spec)
        if output:
            env |= {
                "AIP_MODEL_DIR": f"{output}/model/",
                "AIP_CHECKPOINT_DIR": f"{output}/checkpoints/",
                "AIP_TENSORBOARD_LOG_DIR": f"{output}/logs/",
            }
        if spec.get("tensorboard"):
            env["AIP_TENSORBOARD_RESOURCE_NAME"] = spec["tensorboard"]
        return env


def _distributed(job: Document, replica: Replica, replicas: list[Replica]) -> dict[str, str]:
    """How the replicas find each other: on this machine, each at a port of its own."""
    cluster: dict[str, list[str]] = {}
    for one in replicas:
        cluster.setdefault(f"workerpool{one.pool}", []).append(f"127.0.0.1:{one.port}")
    spec = {
        "cluster": cluster,
        "environment": "cloud",
        "task": {"type": f"workerpool{replica.pool}", "index": replica.index},
        "job": json.dumps({"worker_pool_specs": job["jobSpec"]["workerPoolSpecs"]}),
    }
    return {
        "CLUSTER_SPEC": json.dumps(spec),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(replicas[0].port),
        "RANK": str(replica.rank),
        "WORLD_SIZE": str(len(replicas)),
    }
