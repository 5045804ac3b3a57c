"""What a custom job may be: its spec, checked and with enums by name. Knows no store and no process.

Source: Vertex AI REST v1, CustomJobSpec.
"""

from __future__ import annotations

import re

from localcloud.errors import ApiError, invalid
from localcloud.operation_routes import seconds
from localcloud.store import Document
from localcloud.vertex.machines import by_name, checked_machine

STRATEGIES = {1: "ON_DEMAND", 2: "LOW_COST", 3: "STANDARD", 4: "SPOT", 6: "FLEX_START"}
DISK = {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}
DEFAULT_TIMEOUT_S = 7 * 24 * 3600.0
MAX_POOLS = 4
_GCS = re.compile(r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/.*)?$")


def checked_job(wanted: Document) -> Document:
    """The fields that are kept of what the client asked for. Raises INVALID_ARGUMENT."""
    if not wanted.get("displayName") or len(str(wanted["displayName"])) > 128:
        raise invalid("display_name is required, with at most 128 characters.")
    spec = wanted.get("jobSpec") or {}
    kept: Document = {"displayName": wanted["displayName"], "jobSpec": checked_spec(spec)}
    return kept | {key: wanted[key] for key in ("labels", "encryptionSpec") if wanted.get(key)}


def checked_spec(spec: Document) -> Document:
    pools = list(spec.get("workerPoolSpecs") or [])
    if not pools or not pools[0]:
        raise invalid("job_spec.worker_pool_specs must have a first pool: the primary replica runs in it.")
    if len(pools) > MAX_POOLS:
        raise invalid(f"job_spec.worker_pool_specs must be at most {MAX_POOLS}, got {len(pools)}.")
    checked = {key: value for key, value in spec.items() if value}
    checked["workerPoolSpecs"] = [_checked_pool(pool, index) if pool else {} for index, pool in enumerate(pools)]
    if int(checked["workerPoolSpecs"][0]["replicaCount"]) != 1:
        raise invalid("The first worker pool must have a replica_count of 1: it is the primary replica.")
    if spec.get("scheduling"):
        checked["scheduling"] = _checked_scheduling(spec["scheduling"])
    output = output_of(spec)
    if output and not _GCS.match(output):
        raise invalid(f"base_output_directory.output_uri_prefix must be gs://BUCKET/FOLDER, got {output!r}.")
    if spec.get("enableWebAccess") and spec.get("tensorboard") and not spec.get("serviceAccount"):
        raise invalid("service_account is required when tensorboard is set.")
    return checked


def output_of(spec: Document) -> str:
    """`gs://BUCKET/FOLDER` without a slash at its end; empty when there is none."""
    return str((spec.get("baseOutputDirectory") or {}).get("outputUriPrefix") or "").rstrip("/")


def timeout_s(spec: Document) -> float:
    return seconds((spec.get("scheduling") or {}).get("timeout") or f"{DEFAULT_TIMEOUT_S:g}s")


def _checked_pool(pool: Document, index: int) -> Document:
    field = f"job_spec.worker_pool_specs[{index}]"
    container = pool.get("containerSpec") or {}
    if pool.get("pythonPackageSpec"):
        raise ApiError("UNIMPLEMENTED", f"{field}: the local cloud runs container_spec, not python_package_spec.")
    if not container.get("imageUri"):
        raise invalid(f"{field}.container_spec.image_uri is required.")
    try:
        count = int(pool.get("replicaCount") or 1)
    except (TypeError, ValueError) as error:
        raise invalid(f"{field}.replica_count must be a whole number, got {pool['replicaCount']!r}.") from error
    return {
        "machineSpec": checked_machine(pool.get("machineSpec"), field=f"{field}.machine_spec"),
        "replicaCount": str(count),  # an int64: text in JSON
        "diskSpec": {**DISK, **{key: value for key, value in (pool.get("diskSpec") or {}).items() if value}},
        "containerSpec": {key: value for key, value in container.items() if value},
    }


def _checked_scheduling(scheduling: Document) -> Document:
    checked = {key: value for key, value in scheduling.items() if value}
    if "strategy" in checked:
        checked["strategy"] = by_name(checked["strategy"], STRATEGIES, "scheduling.strategy")
    if "timeout" in checked and not 0 < seconds(checked["timeout"]) <= 4 * DEFAULT_TIMEOUT_S:
        raise invalid(f"scheduling.timeout must be above 0 s and at most 28 days, got {checked['timeout']}.")
    return checked
