"""A custom job's state to and from Google's document, and the hash that tells one request from another.

Knows names and fields; makes no call. Source: google.cloud.aiplatform.v1.CustomJob.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from provider import duration
from provider.api import JsonObject
from tfplugin.schema import Body
from tfplugin.values import State

REQUEST_LABEL = "flanstack_request"
PREFIX = "JOB_STATE_"
SUCCEEDED = f"{PREFIX}SUCCEEDED"
# Ended, and without what was wanted. Any other state but SUCCEEDED goes on.
BAD = tuple(f"{PREFIX}{name}" for name in ("FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"))
DEFAULT_DISK = {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}
SPEC = {"service_account": "serviceAccount", "network": "network", "tensorboard": "tensorboard"}
TIMES = {"create_time": "createTime", "start_time": "startTime", "end_time": "endTime"}


def to_api(planned: State) -> JsonObject:
    """The job to submit, with the label that it is found by."""
    spec: JsonObject = {"workerPoolSpecs": [_pool_to_api(pool) for pool in planned["worker_pool_specs"]]}
    spec |= {api: planned[name] for name, api in SPEC.items() if planned[name]}
    if planned["enable_web_access"]:
        spec["enableWebAccess"] = True
    if planned["base_output_directory"]:
        spec["baseOutputDirectory"] = {"outputUriPrefix": planned["base_output_directory"]}
    for scheduling in planned["scheduling"] or ():
        spec["scheduling"] = _scheduling_to_api(scheduling)
    body: JsonObject = {"displayName": planned["display_name"], "jobSpec": spec}
    labels = dict(planned["labels"] or {})
    return body | {"labels": {**labels, REQUEST_LABEL: request_hash(body | {"labels": labels}, planned["run_key"])}}


def request_hash(body: JsonObject, run_key: str | None) -> str:
    """40 hexadecimal digits: a label's value may have 63."""
    text = json.dumps([body, run_key or ""], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _pool_to_api(pool: State) -> JsonObject:
    machine, container = pool["machine_spec"][0], pool["container_spec"][0]
    body: JsonObject = {"machineSpec": {"machineType": machine["machine_type"]}}
    if machine["accelerator_type"]:
        count = int(machine["accelerator_count"] or 1)
        body["machineSpec"] |= {"acceleratorType": machine["accelerator_type"], "acceleratorCount": count}
    body["replicaCount"] = str(int(pool["replica_count"] or 1))
    body["containerSpec"] = {"imageUri": container["image_uri"]}
    body["containerSpec"] |= {key: container[key] for key in ("command", "args") if container[key]}
    if container["env"]:
        body["containerSpec"]["env"] = [{"name": one["name"], "value": one["value"]} for one in container["env"]]
    for disk in pool["disk_spec"] or ():
        wanted = {"bootDiskType": disk["boot_disk_type"], "bootDiskSizeGb": disk["boot_disk_size_gb"]}
        body["diskSpec"] = {key: int(value) if key.endswith("Gb") else value for key, value in wanted.items() if value}
    return body


def _scheduling_to_api(scheduling: State) -> JsonObject:
    body: JsonObject = {"strategy": scheduling["strategy"]} if scheduling["strategy"] else {}
    for name, api in (("timeout", "timeout"), ("max_wait_duration", "maxWaitDuration")):
        if scheduling[name]:
            body[api] = f"{duration.seconds(scheduling[name]):.0f}s"
    for name, api in (
        ("restart_job_on_worker_restart", "restartJobOnWorkerRestart"),
        ("disable_retries", "disableRetries"),
    ):
        if scheduling[name]:
            body[api] = True
    return body


def output_uri(base: str | None) -> str | None:
    """What the job knows as AIP_MODEL_DIR, without the slash at its end."""
    return f"{base.rstrip('/')}/model" if base else None


def outcome(job: JsonObject) -> State:
    """What Google tells of a job beyond its request."""
    error = job.get("error") or {}
    told = {name: job.get(api) for name, api in TIMES.items()}
    return told | {"state": str(job["state"]), "error": error.get("message") or None}


def from_api(job: JsonObject, body: Body) -> State:
    """The configuration of a job that was made elsewhere, for an import."""
    spec: JsonObject = job["jobSpec"]
    labels = {key: value for key, value in job.get("labels", {}).items() if key != REQUEST_LABEL}
    base = spec.get("baseOutputDirectory", {}).get("outputUriPrefix") or None
    blocks = {block.name: block.body for block in body.blocks}
    state: State = {name: spec.get(api) or None for name, api in SPEC.items()}
    state |= {"display_name": job["displayName"], "labels": labels or None, "base_output_directory": base}
    state |= {"enable_web_access": spec.get("enableWebAccess") or None, "output_uri": output_uri(base)}
    state["worker_pool_specs"] = [_pool_from_api(pool) for pool in spec["workerPoolSpecs"]]
    scheduling = spec.get("scheduling")
    state["scheduling"] = [_scheduling_from_api(scheduling, blocks["scheduling"])] if scheduling else []
    return state


def _pool_from_api(pool: JsonObject) -> State:
    machine, container = pool["machineSpec"], pool["containerSpec"]
    disk = {key: value for key, value in pool.get("diskSpec", {}).items() if DEFAULT_DISK.get(key) != _plain(value)}
    size = disk.get("bootDiskSizeGb")
    return {
        "replica_count": int(pool.get("replicaCount", 1)),
        "machine_spec": [
            {
                "machine_type": machine["machineType"],
                "accelerator_type": machine.get("acceleratorType") or None,
                "accelerator_count": int(machine.get("acceleratorCount", 0)) or None,
            }
        ],
        "container_spec": [
            {
                "image_uri": container["imageUri"],
                "command": container.get("command") or None,
                "args": container.get("args") or None,
                "env": [{"name": one["name"], "value": one.get("value", "")} for one in container.get("env", [])],
            }
        ],
        "disk_spec": [{"boot_disk_type": disk.get("bootDiskType"), "boot_disk_size_gb": int(size) if size else None}]
        if disk
        else [],
    }


def _plain(value: Any) -> Any:
    """Numbers come as text, too."""
    return int(value) if str(value).isdigit() else value


def _scheduling_from_api(scheduling: JsonObject, body: Body) -> State:
    strategy = scheduling.get("strategy")
    return body.empty() | {
        "strategy": None if strategy in (None, 0, "STRATEGY_UNSPECIFIED") else strategy,
        "timeout": _duration(scheduling.get("timeout")),
        "restart_job_on_worker_restart": scheduling.get("restartJobOnWorkerRestart") or None,
        "disable_retries": scheduling.get("disableRetries") or None,
        "max_wait_duration": _duration(scheduling.get("maxWaitDuration")),
    }


def _duration(text: str | None) -> str | None:
    """`5400s` -> `1h30m`: as people write it here."""
    if not text:
        return None
    seconds = int(float(text.removesuffix("s")))
    parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or None
