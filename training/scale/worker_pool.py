"""The worker pools of a Vertex AI CustomJob that runs a task, as its REST API wants them. Knows no client.

One replica per machine, one process per GPU. The task travels whole, as JSON in TRAINING_CONFIG.
Source: Vertex AI, CustomJobSpec and WorkerPoolSpec (v1).
"""

from __future__ import annotations

from typing import Any

from training.config.reading import VARIABLE
from training.config.task import TaskConfig
from training.scale.machines import machine_of
from training.scale.memory import require_room

DISK = "pd-ssd"


def worker_pools(config: TaskConfig, *, image: str) -> list[dict[str, Any]]:
    """Vertex AI wants the first replica in a pool of its own. Raises `BadConfig` when the task does not fit."""
    require_room(config)
    first = _pool(config, image=image, replicas=1)
    if config.scale.replicas == 1:
        return [first]
    return [first, _pool(config, image=image, replicas=config.scale.replicas - 1)]


def scheduling(config: TaskConfig) -> dict[str, Any]:
    """A spot machine that is taken away is asked for again, and the task goes on from its checkpoint."""
    return {"strategy": "SPOT" if config.scale.spot else "STANDARD", "restartJobOnWorkerRestart": config.scale.spot}


def _pool(config: TaskConfig, *, image: str, replicas: int) -> dict[str, Any]:
    machine = machine_of(config.scale.machine_type)
    return {
        "machineSpec": {
            "machineType": config.scale.machine_type,
            "acceleratorType": machine.gpu.accelerator,
            "acceleratorCount": machine.num_gpus,
        },
        "replicaCount": replicas,
        "diskSpec": {"bootDiskType": DISK, "bootDiskSizeGb": config.scale.boot_disk_gb},
        "containerSpec": {
            "imageUri": image,
            "command": ["python", "-m", "training", "launch"],
            "env": [{"name": VARIABLE, "value": config.model_dump_json()}],
        },
    }
