"""The attributes of `vertex_endpoint_deployed_model`, close to what Google's own provider is drafting."""

from __future__ import annotations

from typing import Any

from provider.deployed_model import golden, promotion, traffic_steps
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
    body=Body(
        description="The machine of one replica. A change of it deploys anew, as a new version does.",
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
            _optional("spot", "Spot machines: cheaper, may be taken away. A change deploys anew.", BOOL),
        ],
        blocks=[MACHINE_SPEC, AUTOSCALING],
    ),
)

SCHEMA = Schema(
    body=Body(
        description="A model version that serves behind a Vertex AI endpoint. Replicas, autoscaling, logging and "
        "traffic change in place. Every other change is a rolling replacement, and an update for Terraform too: the "
        "new one is deployed beside the old one, proved, given the traffic in steps, and only then is the old one "
        "undeployed. When the new one fails, the old one keeps everything.",
        attributes=[
            _required("endpoint", "`projects/P/locations/L/endpoints/E`.", replace=True),
            _required("model", "`projects/P/locations/L/models/M@VERSION`."),
            Attribute(
                name="deployed_model_id",
                type=STRING,
                optional=True,
                computed=True,
                description="1 to 10 digits. By default derived: five digits of endpoint, model and `track`, five of "
                "version, machine and identity, so that a repeated apply finds its own.",
            ),
            _optional(
                "track",
                "Tells apart several of these resources with the same model on the same endpoint, such as `canary`.",
                replace=True,
            ),
            Attribute(
                name="display_name",
                type=STRING,
                optional=True,
                computed=True,
                description="Shown name; default the model's.",
            ),
            _optional("service_account", "Identity of the container."),
            Attribute(
                name="traffic_percent",
                type=NUMBER,
                optional=True,
                computed=True,
                default=100,
                description="Share of the endpoint's traffic, 0 to 100; the others share the rest. Default 100.",
            ),
            Attribute(
                name="strategy",
                type=STRING,
                optional=True,
                computed=True,
                default="rolling",
                description="`rolling`, or `recreate`: the old one goes before the new one comes, and nothing serves "
                "meanwhile; for when the quota has no room for both. Default `rolling`.",
            ),
            Attribute(
                name="keep_previous",
                type=BOOL,
                optional=True,
                computed=True,
                default=False,
                description="Leaves the predecessor deployed, without traffic, until the next replacement: to apply "
                "the previous version again then takes seconds. It costs as much as the new one. Default `false`.",
            ),
            Attribute(
                name="drain",
                type=STRING,
                optional=True,
                computed=True,
                default="10s",
                description="How long a predecessor stays after its traffic went, for what it still answers. "
                "Default `10s`.",
            ),
            _optional("enable_access_logging", "Log each request's time and latency.", BOOL),
            _optional("disable_container_logging", "Keep the container's output out of Cloud Logging.", BOOL),
            _computed("id", "`ENDPOINT/deployedModels/ID`."),
            _computed("operation", "The deployment's operation."),
            _computed("create_time", "When it was deployed."),
            _computed("dedicated_endpoint_dns", "Domain of the endpoint, when it has its own."),
            _computed("predict_url", "Where predictions are sent."),
            _computed(
                "status",
                "`ready`; `deploying` or `rolling` after an apply that was cut short: the next one goes on. "
                "A postcondition on it makes a pipeline fail where nothing serves yet.",
            ),
            _computed(
                "promotion_verdict",
                "What `promotion` decided of the last version that wanted to take over: the rule, the metrics of both "
                "versions, and who overrode it why.",
            ),
            _computed("previous_deployed_model_id", "The predecessor that `keep_previous` left deployed."),
            Attribute(
                name="leftover_deployed_model_ids",
                type=list_of(STRING),
                computed=True,
                description="Deployed models of this resource that an apply which was killed left on the endpoint, and "
                "that cost money. The next apply takes them down, or goes on with them.",
            ),
        ],
        blocks=[
            RESOURCES,
            traffic_steps.BLOCK,
            golden.BLOCK,
            promotion.BLOCK,
            timeouts(create="2h", update="1h", delete="30m"),
        ],
    )
)
