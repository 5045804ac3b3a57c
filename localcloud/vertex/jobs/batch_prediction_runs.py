"""The work of a batch prediction: the model's container as processes, asked batch by batch, answers into a bucket.

As on Vertex AI, a batch that the container refuses fails all its instances, each with the reason; the others go on.
An unfinished job is begun again when the local cloud is: answers are written at the end, so none is there twice.
Source: Vertex AI, "Get batch inferences from a custom model"; BatchPredictionJob's outputInfo.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid
from localcloud.objects import OBJECT, bucket_key, find_object, put_object
from localcloud.operations import RunningOperation, now
from localcloud.store import Document
from localcloud.vertex.jobs.batch_answers import Answer, predicted, stats
from localcloud.vertex.jobs.batch_prediction_jobs import MAX_REPLICAS
from localcloud.vertex.jobs.documents import RUNNING, carry_out, change_state
from localcloud.vertex.models import Models
from localcloud.vertex.replicas import Replicas, routes_of

MAX_PARTIAL_FAILURES = 20
LINES_PER_FILE = 10_000
RESULTS, ERRORS = "prediction.results", "prediction.errors_stats"


class BatchPredictionRuns:
    """Runs jobs; each in the thread of its operation."""

    def __init__(self, cloud: LocalCloud, models: Models) -> None:
        self._cloud, self._models = cloud, models
        self._replicas = Replicas(cloud, models)

    def run(self, running: RunningOperation) -> Document:
        """The operation's work."""
        return carry_out(self._cloud, running, self._answered)

    def _answered(self, running: RunningOperation, job: Document) -> Document:
        """What the job's document says at its end. The container runs no longer than this."""
        instances, began = list(self._instances(job)), time.monotonic()
        if not instances:
            raise invalid("The input has no instance.")
        resources = job["dedicatedResources"]
        count = min(resources["startingReplicaCount"], MAX_REPLICAS)
        model = self._cloud.projects.canonical(job["model"])
        deployed = {"id": "batch", "model": model, "modelVersionId": job["modelVersionId"]}
        deployed |= {"dedicatedResources": resources, "serviceAccount": job.get("serviceAccount")}
        try:
            self._replicas.resize(job["name"], deployed, count=count)
            self._replicas.wait_healthy(job["name"], deployed, check=running.check)
            change_state(self._cloud, job["name"], RUNNING, startTime=job.get("startTime") or now())
            running.meet_fault(RUNNING)
            answers = self._asked(running, job, deployed, instances)
        except OSError as error:
            raise ApiError("INTERNAL", f"The job's containers cannot be started: {error}") from error
        finally:
            self._replicas.stop(job["name"], "batch")
        hours = count * (time.monotonic() - began) / 3600
        return self._written(job, answers) | {"resourcesConsumed": {"replicaHours": hours}}

    def _instances(self, job: Document) -> Iterator[Any]:
        """Every line of every input file. Raises INVALID_ARGUMENT for a line that is no JSON."""
        for uri in job["inputConfig"]["gcsSource"]["uris"]:
            bucket, _, pattern = uri.removeprefix("gs://").partition("/")
            for name in self._names(bucket, pattern):
                with find_object(self._cloud, bucket, name).open(encoding="utf-8") as lines:
                    for number, line in enumerate(lines, start=1):
                        if line.strip():
                            yield _parsed(line, f"gs://{bucket}/{name}, line {number}")

    def _names(self, bucket: str, pattern: str) -> list[str]:
        """A file's name, or every one that a `*` at the end stands for."""
        if not pattern.endswith("*"):
            return [pattern]
        known = self._cloud.store.list(OBJECT, under=f"{bucket_key(bucket)}/o")
        return sorted(str(one["name"]) for one in known if str(one["name"]).startswith(pattern[:-1]))

    def _asked(
        self, running: RunningOperation, job: Document, deployed: Document, instances: list[Any]
    ) -> list[Answer]:
        """An answer for each instance, in order; as many batches at once as there are replicas."""
        size = job["manualBatchTuningParameters"]["batchSize"]
        batches = [instances[at : at + size] for at in range(0, len(instances), size)]
        replicas = self._replicas.of(job["name"], "batch")
        _, version = self._models.find_version(f"{deployed['model']}@{deployed['modelVersionId']}")
        _, route = routes_of(version["containerSpec"], job["name"], "batch")
        urls = [f"http://127.0.0.1:{replica.port}{route}" for replica in replicas]
        with ThreadPoolExecutor(len(urls)) as pool:
            futures = [
                pool.submit(predicted, urls[index % len(urls)], batch, job.get("modelParameters"))
                for index, batch in enumerate(batches)
            ]
            try:
                while waiting := [one for one in futures if not one.done()]:
                    wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                    self._tell(job, futures, len(instances))
                    running.check()
            finally:
                for one in futures:
                    one.cancel()
                self._replicas.stop(job["name"], "batch")  # so that what is being asked ends, too
        return [answer for one in futures for answer in one.result()]

    def _tell(self, job: Document, futures: list[Future[list[Answer]]], total: int) -> None:
        done = [answer for one in futures if one.done() for answer in one.result()]
        change_state(self._cloud, job["name"], RUNNING, completionStats=stats(done, total))

    def _written(self, job: Document, answers: list[Answer]) -> Document:
        """Writes the files; returns where they are and how many instances went well."""
        prefix = job["outputConfig"]["gcsDestination"]["outputUriPrefix"].rstrip("/")
        time_ = datetime.now(UTC).strftime("%Y_%m_%dT%H_%M_%S_%f")[:-3] + "Z"
        model = self._models.get(self._cloud.projects.canonical(job["model"]))
        directory = f"{prefix}/prediction-{model['displayName']}-{time_}"
        good = [one for one in answers if one.error is None]
        bad = [one for one in answers if one.error is not None]
        self._write(directory, RESULTS, good)
        self._write(directory, ERRORS, bad)
        told: Document = {
            "outputInfo": {"gcsOutputDirectory": directory},
            "completionStats": stats(answers, len(answers)),
        }
        if bad:
            told["partialFailures"] = [one.error for one in bad[:MAX_PARTIAL_FAILURES]]
        if not good:
            told["error"] = {"code": 3, "message": f"No instance succeeded. The first failed with: {bad[0].error}"}
        return told

    def _write(self, directory: str, stem: str, answers: list[Answer]) -> None:
        """Files of at most LINES_PER_FILE lines; one without a line when there is no answer of this kind."""
        bucket, _, folder = directory.removeprefix("gs://").partition("/")
        parts = [answers[at : at + LINES_PER_FILE] for at in range(0, len(answers), LINES_PER_FILE)] or [[]]
        scratch = Path(tempfile.mkdtemp(dir=self._cloud.data_dir))
        try:
            for index, part in enumerate(parts):
                file = scratch / str(index)
                file.write_text("".join(one.line() for one in part), encoding="utf-8")
                name = f"{folder}/{stem}-{index:05d}-of-{len(parts):05d}"
                put_object(self._cloud, bucket, file, {"name": name, "contentType": "text/plain"}, if_generation=None)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise invalid(f"{where}: no JSON value ({error}): {line[:80]!r}") from error
