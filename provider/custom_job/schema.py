"""The attributes of `vertex_custom_job`, and what is wrong with a configuration of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from provider import duration
from provider.limits import account_problems, display_name_problems, label_problems, number_problems, refused
from provider.limits import region_problems as place_problems
from provider.machine_spec import machine_problems
from tfplugin.planning import Path
from tfplugin.resource import Problem
from tfplugin.schema import BOOL, NUMBER, STRING, Attribute, Block, Body, Schema, list_of, map_of, timeouts
from tfplugin.values import State

CREATE_TIMEOUT, DELETE_TIMEOUT = "168h", "30m"  # a week: Vertex AI's own limit unless scheduling.timeout says more
STRATEGIES = ("STANDARD", "SPOT", "FLEX_START")
MAX_POOLS = 4
_OUTPUT = re.compile(r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](?:/\S*)?$")
_NETWORK = re.compile(r"^projects/[^/]+/global/networks/[^/]+$")
_TENSORBOARD = re.compile(r"^projects/[^/]+/locations/[^/]+/tensorboards/[^/]+$")
_VARIABLE = re.compile(r"^[A-Za-z_]\w*$")


def _required(name: str, description: str, **more: Any) -> Attribute:
    return Attribute(name=name, type=STRING, required=True, description=description, **more)


def _optional(name: str, type_: Any, description: str, **more: Any) -> Attribute:
    return Attribute(name=name, type=type_, optional=True, description=description, **more)


def _computed(name: str, description: str, **more: Any) -> Attribute:
    return Attribute(name=name, type=STRING, computed=True, description=description, **more)


def _one(name: str, description: str, attributes: Sequence[Attribute], *, min_items: int = 0, **more: Any) -> Block:
    body = Body(description=description, attributes=attributes, **more)
    return Block(name=name, min_items=min_items, max_items=1, body=body)


ENV = Block(
    name="env",
    body=Body(
        description="An environment variable of the container, besides those that Vertex AI sets.",
        attributes=[
            _required("name", "Name; `AIP_…`, `CLOUD_ML_…` and `CLUSTER_SPEC` are Google's."),
            _required("value", "Value."),
        ],
    ),
)
MACHINE = _one(
    "machine_spec",
    "The machine of each replica.",
    [
        _required("machine_type", "Machine type, such as `a2-highgpu-1g`."),
        _optional("accelerator_type", STRING, "Accelerator, such as `NVIDIA_TESLA_A100`."),
        _optional("accelerator_count", NUMBER, "Accelerators per machine; 1 when not set."),
    ],
    min_items=1,
)
DISK = _one(
    "disk_spec",
    "The boot disk of each replica.",
    [
        _optional("boot_disk_type", STRING, "`pd-ssd` (Google's default) or `pd-standard`."),
        _optional("boot_disk_size_gb", NUMBER, "Size in GB, 100 (Google's default) to 64000."),
    ],
)
CONTAINER = _one(
    "container_spec",
    "The training container.",
    [
        _required("image_uri", "Image, best by digest (`…@sha256:…`): another content is another job."),
        _optional("command", list_of(STRING), "Replaces the image's ENTRYPOINT and CMD."),
        _optional("args", list_of(STRING), "Replaces the image's CMD."),
    ],
    min_items=1,
    blocks=[ENV],
)
POOLS = Block(
    name="worker_pool_specs",
    min_items=1,
    max_items=MAX_POOLS,
    replace=True,
    body=Body(
        description="A pool of equal replicas. The first one has the primary replica, whose end is the job's.",
        attributes=[
            Attribute(
                name="replica_count",
                type=NUMBER,
                optional=True,
                computed=True,
                default=1,
                description="Number of replicas; 1 in the first pool. Default 1.",
            )
        ],
        blocks=[MACHINE, CONTAINER, DISK],
    ),
)
SCHEDULING = Block(
    name="scheduling",
    max_items=1,
    replace=True,
    body=Body(
        description="How the job gets its machines, and how long it may run.",
        attributes=[
            _optional("strategy", STRING, "`STANDARD` (Google's default), `SPOT` or `FLEX_START`."),
            _optional("timeout", STRING, "Longest run, as `90m` or `48h`; Google's default is 7 days."),
            _optional("restart_job_on_worker_restart", BOOL, "Whether all replicas start again when one had to."),
            _optional("disable_retries", BOOL, "Whether the job fails instead of being tried again by Google."),
            _optional("max_wait_duration", STRING, "Longest wait for machines with `FLEX_START`, as `24h`."),
        ],
    ),
)
PLACE = [
    Attribute(
        name=name,
        type=STRING,
        optional=True,
        computed=True,
        replace=True,
        description=f"{what}; default the provider's.",
    )
    for name, what in (("project", "Project"), ("location", "Region"))
]
OUTCOME = [
    _computed("id", "`projects/P/locations/L/customJobs/ID`.", replace=True),
    _computed("name", "The same as `id`."),
    _computed("state", "`JOB_STATE_SUCCEEDED`, or what it was when an apply was cut short."),
    _computed("create_time", "When it was submitted, in RFC 3339."),
    _computed("start_time", "When its container first ran, in RFC 3339."),
    _computed("end_time", "When it ended, in RFC 3339."),
    _computed("output_uri", "`gs://…/model`: AIP_MODEL_DIR of the job, where its model is; null without output."),
    Attribute(
        name="metric_labels",
        type=map_of(STRING),
        computed=True,
        description="What `metrics.json` in `output_uri` says, as labels for a model version: `eval_rouge1 = 43_1234` "
        "for 43.1234 on the validation split; null when the job wrote none.",
    ),
    _computed("error", "Google's words for why it failed; null when it did not."),
]
SCHEMA = Schema(
    body=Body(
        description="A job of Vertex AI Training: a container that runs to its end, as `google-cloud-aiplatform`'s "
        "CustomJob does.\n\n"
        "Creating submits the job and waits for its end. A custom job cannot be changed, so every change of it, labels "
        "too, is a new job: keep what changes with each commit out of it. Jobs are told apart by a label with a hash "
        "of the whole request: an apply that was killed finds the job that it began, and none is submitted twice. "
        "After an interrupt the job goes on, its state is kept, and the next apply waits on. A job that failed or was "
        "cancelled is replaced by the next apply. Destroying cancels a job that runs.",
        attributes=[
            _required("display_name", "Shown name, 1 to 128 characters.", replace=True),
            _optional("labels", map_of(STRING), "Labels of the job; at most 63 of `a-z0-9_-` each.", replace=True),
            _optional(
                "run_key",
                STRING,
                "Any text. Another value runs an otherwise equal job anew, and tells two equal ones apart.",
                replace=True,
            ),
            _optional(
                "base_output_directory",
                STRING,
                "`gs://BUCKET/FOLDER`: the job finds its `model/`, `checkpoints/` and `logs/` in AIP_MODEL_DIR, "
                "AIP_CHECKPOINT_DIR and AIP_TENSORBOARD_LOG_DIR.",
                replace=True,
            ),
            _optional("service_account", STRING, "Identity of the job; default Vertex AI's own agent.", replace=True),
            _optional("network", STRING, "`projects/NUMBER/global/networks/NAME` to be peered with.", replace=True),
            _optional("tensorboard", STRING, "TensorBoard that gets the logs; needs `service_account`.", replace=True),
            _optional("enable_web_access", BOOL, "Whether people may open a shell in the container.", replace=True),
            Attribute(
                name="keep_on_destroy",
                type=BOOL,
                optional=True,
                computed=True,
                default=False,
                description="Whether the record of the job stays when this resource is destroyed. Its output always "
                "does. An equal request adopts a job that stayed and succeeded. Default false.",
            ),
            *PLACE,
            *OUTCOME,
        ],
        blocks=[POOLS, SCHEDULING, timeouts(create=CREATE_TIMEOUT, delete=DELETE_TIMEOUT)],
    )
)


def problems(config: State) -> list[Problem]:
    """What Google would refuse, or what could not work."""
    found = display_name_problems(("display_name",), config["display_name"])
    found += label_problems(("labels",), config["labels"])
    found += account_problems(("service_account",), config["service_account"])
    found += place_problems(("location",), config["location"])
    for name, pattern, allowed in (
        ("base_output_directory", _OUTPUT, "a folder in Cloud Storage, as gs://BUCKET/FOLDER"),
        ("network", _NETWORK, "projects/NUMBER/global/networks/NAME"),
        ("tensorboard", _TENSORBOARD, "projects/PROJECT/locations/LOCATION/tensorboards/ID"),
    ):
        if isinstance(config[name], str) and not pattern.match(config[name]):
            found.append(refused((name,), config[name], allowed))
    if config["tensorboard"] is not None and config["service_account"] is None:
        cure = "Give one with roles/aiplatform.user, and roles/storage.objectAdmin on the output bucket."
        found.append(refused(("tensorboard",), config["tensorboard"], "none without service_account", cure))
    for index, pool in enumerate(_bodies(config["worker_pool_specs"])):
        found += _pool_problems(index, pool)
    for scheduling in _bodies(config["scheduling"]):
        found += _scheduling_problems(scheduling)
    return found


def _bodies(blocks: Any) -> list[State]:
    return blocks if isinstance(blocks, list) else []


def _pool_problems(index: int, pool: State) -> list[Problem]:
    at: Path = ("worker_pool_specs", index)
    most = 1 if index == 0 else None  # the primary replica is alone in its pool
    found = number_problems((*at, "replica_count"), pool["replica_count"], least=1, most=most)
    for machine in _bodies(pool["machine_spec"]):
        found += machine_problems((*at, "machine_spec", 0), machine)
    for disk in _bodies(pool["disk_spec"]):
        found += number_problems((*at, "disk_spec", 0, "boot_disk_size_gb"), disk["boot_disk_size_gb"], least=100)
    for container in _bodies(pool["container_spec"]):
        for number, variable in enumerate(_bodies(container["env"])):
            name = variable["name"]
            if isinstance(name, str) and (not _VARIABLE.match(name) or name.startswith(("AIP_", "CLOUD_ML_"))):
                allowed = "a name of letters, digits and _ that does not begin with AIP_ or CLOUD_ML_"
                found.append(refused((*at, "container_spec", 0, "env", number, "name"), name, allowed))
    return found


def _scheduling_problems(scheduling: State) -> list[Problem]:
    at: Path = ("scheduling", 0)
    found: list[Problem] = []
    strategy = scheduling["strategy"]
    if isinstance(strategy, str) and strategy not in STRATEGIES:
        found.append(refused((*at, "strategy"), strategy, ", ".join(STRATEGIES)))
    for name in ("timeout", "max_wait_duration"):
        if isinstance(scheduling[name], str):
            try:
                duration.seconds(scheduling[name])
            except ValueError as error:
                found.append(Problem(f"scheduling.{name} is no duration", f"{error}.", (*at, name)))
    return found
