"""Batch predictions through Google's client: input uploaded, job submitted and followed, output read.

Knows Vertex AI and Cloud Storage; knows no lines.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPIError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import aiplatform_v1, storage

from cdk.config import DeploymentConfig

POLL_S, LOCAL_POLL_S = 15.0, 0.3
LABEL = "flanstack_batch"
RESULTS, ERRORS = "prediction.results-", "prediction.errors_stats-"
State = aiplatform_v1.JobState
GOING_ON = (
    State.JOB_STATE_QUEUED,
    State.JOB_STATE_PENDING,
    State.JOB_STATE_RUNNING,
    State.JOB_STATE_CANCELLING,
    State.JOB_STATE_UPDATING,
)
PROBLEMS = (GoogleAPIError, GoogleAuthError, OSError)


class BatchFailed(Exception):
    """The job cannot be run or its files not be read; the message says why."""


@dataclass(frozen=True)
class Batch:
    """What is sent. folder: gs://… of input and output. replicas, batch_size: as Vertex AI means them."""

    model: str
    folder: str
    replicas: int
    batch_size: int
    parameters: dict[str, Any]


class BatchJobs:
    """The batch predictions of one deployment."""

    def __init__(self, config: DeploymentConfig) -> None:
        google = config.google
        self._config = config
        self.parent = f"projects/{google.project}/locations/{google.region}"
        self._poll_s = POLL_S
        host = f"{google.region}-aiplatform.googleapis.com"
        credentials = None
        if google.api_endpoint:
            host, credentials, self._poll_s = google.api_endpoint, AnonymousCredentials(), LOCAL_POLL_S
            os.environ["STORAGE_EMULATOR_HOST"] = google.api_endpoint
        options = ClientOptions(api_endpoint=host)
        try:
            self._jobs = aiplatform_v1.JobServiceClient(
                transport="rest", client_options=options, credentials=credentials
            )
            self._storage = storage.Client(project=google.project, credentials=credentials)
        except PROBLEMS as error:
            raise BatchFailed(str(error)) from error

    def earlier(self, key: str) -> list[Any]:
        """The jobs with this key, the oldest first: what runs that were cut short have begun."""
        request = {"parent": self.parent, "filter": f"labels.{LABEL}={key}"}
        try:
            return sorted(self._jobs.list_batch_prediction_jobs(request), key=lambda one: one.create_time)
        except PROBLEMS as error:
            raise BatchFailed(str(error)) from error

    def submit(self, batch: Batch, instances: Iterable[Any], *, key: str, part: int) -> Any:
        """Uploads the instances and starts the job."""
        endpoint = self._config.endpoint
        name = f"{batch.folder}/input-{key}-{part:02d}.jsonl"
        machine: dict[str, Any] = {"machine_type": endpoint.machine_type}
        if endpoint.accelerator_type:
            machine["accelerator_type"] = endpoint.accelerator_type
            machine["accelerator_count"] = endpoint.accelerator_count
        job = {
            "display_name": f"{self._config.prefix}-batch-{key}",
            "model": batch.model,
            "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": [name]}},
            "output_config": {
                "predictions_format": "jsonl",
                "gcs_destination": {"output_uri_prefix": f"{batch.folder}/output"},
            },
            "dedicated_resources": {
                "machine_spec": machine,
                "starting_replica_count": batch.replicas,
                "max_replica_count": batch.replicas,
            },
            "manual_batch_tuning_parameters": {"batch_size": batch.batch_size},
            "labels": {**self._config.all_labels, LABEL: key},
        }
        if batch.parameters:
            job["model_parameters"] = batch.parameters
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in instances)
        try:
            self._blob(name).upload_from_string(text, content_type="application/jsonl")
            return self._jobs.create_batch_prediction_job(parent=self.parent, batch_prediction_job=_message(job))
        except PROBLEMS as error:
            raise BatchFailed(str(error)) from error

    def follow(self, job: Any, *, tell: Callable[[Any], None]) -> Any:
        """The job once it has ended. tell: called with what it is, look by look."""
        while True:
            try:
                job = self._jobs.get_batch_prediction_job(name=job.name)
            except PROBLEMS as error:
                raise BatchFailed(f"{job.name} goes on, but cannot be asked for: {error}") from error
            tell(job)
            if job.state not in GOING_ON:
                return job
            time.sleep(self._poll_s)

    def told(self, job: Any) -> Iterator[Any]:
        """Every line of the job's results and errors, parsed; what is no JSON as the text that it is."""
        folder = job.output_info.gcs_output_directory
        if not folder:
            return
        bucket, _, prefix = folder.removeprefix("gs://").partition("/")
        try:
            for blob in self._storage.list_blobs(bucket, prefix=f"{prefix}/"):
                if blob.name.rpartition("/")[2].startswith((RESULTS, ERRORS)):
                    with blob.open("r", encoding="utf-8") as lines:
                        yield from map(_parsed, lines)
        except PROBLEMS as error:
            raise BatchFailed(f"{folder} cannot be read: {error}") from error

    def _blob(self, uri: str) -> Any:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        return self._storage.bucket(bucket).blob(name)


def _message(job: dict[str, Any]) -> Any:
    """The dictionary as the client's message, which takes free JSON for `model_parameters` only by this way."""
    from google.protobuf import json_format

    parameters = job.pop("model_parameters", None)
    message = aiplatform_v1.BatchPredictionJob(job)
    if parameters is not None:
        json_format.ParseDict(parameters, aiplatform_v1.BatchPredictionJob.pb(message).model_parameters.struct_value)
    return message


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line.rstrip("\n")
