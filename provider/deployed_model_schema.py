"""The attributes of `vertex_endpoint_deployed_model`, close to what Google's own provider is drafting."""

from __future__ import annotations

from typing import Any

from tfplugin.schema import BOOL, NUMBER, STRING, Attribute, Block, Body, Schema, list_of, timeouts


def _required(name: str, description: str, type_: Any = STRING, *, replace: bool = False) -> Attribute:
    return Attribute(name=name, type=type_, required=True, replace=replace, description=description)


def _optional(name: str, description: str, type_: Any = STRING, *, replace: bool = False) -> Attribute:
    return Attribute(name=name, type=type_, optional=True, replace=replace, description=description)


def _computed(name: str, description: str) -> Attribute:
    return Attribute(name=name, type=STRING, computed=True, description=description)


RESERVATION = Block(
    name="reservation_affinity",
    max_items=1,
    body=Body(
        description="Which reservation the machines come from.",
        attributes=[
            _required("reservation_affinity_type", "`NO_`, `ANY_` or `SPECIFIC_RESERVATION`."),
            _optional("key", "`compute.googleapis.com/reservation-name` for a specific one."),
            _optional("values", "Full names of the reservations.", list_of(STRING)),
        ],
    ),
)
MACHINE_SPEC = Block(
    name="machine_spec",
    min_items=1,
    max_items=1,
    replace=True,
    body=Body(
        description="The machine of one replica. A change of it replaces the deployed model.",
        attributes=[
            _required("machine_type", "Such as `a2-highgpu-1g` (12 vCPU, 85 GB, one A100 40 GB built in)."),
            _optional("accelerator_type", "Such as `NVIDIA_TESLA_A100`."),
            _optional("accelerator_count", "Accelerators per replica.", NUMBER),
        ],
        blocks=[RESERVATION],
    ),
)
AUTOSCALING = Block(
    name="autoscaling_metric_specs",
    body=Body(
        description="A metric and its target that decide the number of replicas.",
        attributes=[
            _required(
                "metric_name", "`aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle` or the like."
            ),
            _required("target", "Target in percent (per minute and replica for request counts).", NUMBER),
        ],
    ),
)
RESOURCES = Block(
    name="dedicated_resources",
    min_items=1,
    max_items=1,
    body=Body(
        description="Machines that serve this model alone.",
        attributes=[
            _required("min_replica_count", "Replicas at the least, 1 or more.", NUMBER),
            _required("max_replica_count", "Replicas at the most.", NUMBER),
            _optional(
                "required_replica_count", "Replicas that must be up for the deployment to count as done.", NUMBER
            ),
            _optional("spot", "Spot machines: cheaper, may be taken away. A change replaces.", BOOL, replace=True),
        ],
        blocks=[MACHINE_SPEC, AUTOSCALING],
    ),
)

SCHEMA = Schema(
    body=Body(
        description="A model version that serves behind a Vertex AI endpoint.",
        attributes=[
            _required("endpoint", "`projects/P/locations/L/endpoints/E`.", replace=True),
            _required("model", "`projects/P/locations/L/models/M@VERSION`.", replace=True),
            Attribute(
                name="deployed_model_id",
                type=STRING,
                optional=True,
                computed=True,
                replace=True,
                description="1 to 10 digits. By default derived from endpoint, model and machine, so that a repeated "
                "create finds its own.",
            ),
            Attribute(
                name="display_name",
                type=STRING,
                optional=True,
                computed=True,
                replace=True,
                description="Shown name; default the model's.",
            ),
            _optional("service_account", "Identity of the container.", replace=True),
            Attribute(
                name="traffic_percent",
                type=NUMBER,
                optional=True,
                computed=True,
                default=100,
                description="Share of the endpoint's traffic, 0 to 100; the others share the rest. Default 100.",
            ),
            _optional("enable_access_logging", "Log each request's time and latency.", BOOL, replace=True),
            _optional("disable_container_logging", "Keep the container's output out of Cloud Logging.", BOOL),
            _computed("id", "`ENDPOINT/deployedModels/ID`."),
            _computed("operation", "The deployment's operation."),
            _computed("create_time", "When it was deployed."),
            _computed("dedicated_endpoint_dns", "Domain of the endpoint, when it has its own."),
            _computed("predict_url", "Where predictions are sent."),
            _computed("status", "`ready`, or `deploying` after an interrupted apply."),
        ],
        blocks=[RESOURCES, timeouts(create="2h", update="1h", delete="30m")],
    )
)
