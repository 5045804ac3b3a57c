"""Batch predictions as documents, checked; their work is `batch_prediction_runs`.

Source: Vertex AI REST v1, projects.locations.batchPredictionJobs.
"""

from __future__ import annotations

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid
from localcloud.store import Document
from localcloud.vertex.jobs.documents import Jobs
from localcloud.vertex.machines import checked_machine
from localcloud.vertex.models import Models, checked_display_name

FORMAT = "jsonl"
BATCH_SIZE = 64  # Vertex AI's own
MAX_REPLICAS = 8  # as many processes as this machine shall start for one job
KEPT = ("displayName", "modelParameters", "labels", "serviceAccount", "disableContainerLogging", "instanceConfig")


class BatchPredictionJobs(Jobs):
    """A model's container over the lines of files, without an endpoint."""

    noun = "batchPredictionJob"
    kind = "batch_prediction_job"

    def __init__(self, cloud: LocalCloud, models: Models) -> None:
        super().__init__(cloud)
        self._models = models

    def checked(self, parent: str, body: Document) -> Document:
        checked_display_name(body)
        kept: Document = {key: body[key] for key in KEPT if body.get(key)}
        model, version = self._models.find_version(self.cloud.projects.canonical(str(body.get("model") or "")))
        kept |= {"model": self.cloud.projects.numbered(model["name"]), "modelVersionId": version["versionId"]}
        kept["inputConfig"], kept["outputConfig"] = _checked_input(body), _checked_output(body)
        kept["dedicatedResources"] = _checked_resources(body.get("dedicatedResources") or {})
        size = int((body.get("manualBatchTuningParameters") or {}).get("batchSize") or BATCH_SIZE)
        if not 1 <= size <= 1024:
            raise invalid(f"manual_batch_tuning_parameters.batch_size must be from 1 to 1024, got {size}.")
        kept["manualBatchTuningParameters"] = {"batchSize": size}
        config = kept.get("instanceConfig", {})
        if unknown := [key for key in config if key != "instanceType" and config[key]]:
            raise _not_here(f"instance_config.{unknown[0]}")
        if config.get("instanceType") not in (None, "", "object"):
            raise _not_here(f"instance_config.instance_type {config['instanceType']!r}")
        return kept


def _checked_input(body: Document) -> Document:
    config = body.get("inputConfig") or {}
    if config.get("instancesFormat") != FORMAT:
        raise _not_here(f"input_config.instances_format {config.get('instancesFormat')!r}", f"{FORMAT!r} is")
    uris = list((config.get("gcsSource") or {}).get("uris") or [])
    if not uris:
        raise invalid("input_config.gcs_source.uris is required: files of one JSON value per line.")
    for uri in uris:
        if not str(uri).startswith("gs://") or not str(uri).removeprefix("gs://").partition("/")[2]:
            raise invalid(f"input_config.gcs_source.uris must be gs://BUCKET/FILE, got {uri!r}.")
    return {"instancesFormat": FORMAT, "gcsSource": {"uris": uris}}


def _checked_output(body: Document) -> Document:
    config = body.get("outputConfig") or {}
    if config.get("predictionsFormat") != FORMAT:
        raise _not_here(f"output_config.predictions_format {config.get('predictionsFormat')!r}", f"{FORMAT!r} is")
    prefix = str((config.get("gcsDestination") or {}).get("outputUriPrefix") or "")
    if not prefix.startswith("gs://"):
        raise invalid(f"output_config.gcs_destination.output_uri_prefix must be gs://BUCKET/FOLDER, got {prefix!r}.")
    return {"predictionsFormat": FORMAT, "gcsDestination": {"outputUriPrefix": prefix}}


def _checked_resources(wanted: Document) -> Document:
    starting = int(wanted.get("startingReplicaCount") or 1)
    most = int(wanted.get("maxReplicaCount") or max(starting, 1))
    if not 1 <= starting <= most:
        raise invalid(f"starting_replica_count must be from 1 to max_replica_count ({most}), got {starting}.")
    machine = checked_machine(wanted.get("machineSpec"), field="dedicated_resources.machine_spec")
    return {"machineSpec": machine, "startingReplicaCount": starting, "maxReplicaCount": most}


def _not_here(what: str, instead: str = "leave it out") -> ApiError:
    return ApiError("UNIMPLEMENTED", f"The local cloud does not do {what}: {instead}.")
