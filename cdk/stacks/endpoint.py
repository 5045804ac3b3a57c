"""Stack `endpoint`: the Vertex AI endpoint and the model version that serves behind it.

This is the stack that costs money while it is up; destroying it alone stops that. Alert policies, dashboard, budget,
lease and schedule belong here too.
"""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_google.vertex_ai_endpoint import VertexAiEndpoint
from constructs import Construct

from cdk.config import DeploymentConfig
from cdk.naming import tuned_model_id
from cdk.prices.deployment import price
from cdk.stacks.deployment import DeploymentStack
from cdk.stacks.model import ModelStack
from cdk.stacks.registry import RegistryStack
from cdk.stacks.training import TrainingStack
from cdk.vertex import VertexEndpointDeployedModel

DUTY_CYCLE = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle"
RESERVATION_KEY = "compute.googleapis.com/reservation-name"


class EndpointStack(DeploymentStack):
    """`endpoint_name` and `predict_url`, for the page and for callers.

    training: whose newest version is deployed, if it is better, in place of the model's own.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        config: DeploymentConfig,
        registry: RegistryStack,
        model: ModelStack,
        training: TrainingStack | None = None,
    ) -> None:
        super().__init__(scope, id_, config=config)
        self.endpoint = VertexAiEndpoint(
            self,
            "endpoint",
            name=config.endpoint.id,
            display_name=config.endpoint.display_name,
            location=config.google.region,
            region=config.google.region,
            dedicated_endpoint_enabled=config.endpoint.dedicated,
            # No traffic_split: the deployed model owns it, and two owners would fight.
        )
        self.deployed = VertexEndpointDeployedModel(
            self,
            "deployed-model",
            endpoint=self.endpoint.id,
            model=(training.tuned if training else model.model).version_name,
            display_name=config.model.id,
            service_account=registry.identities.email("serving"),
            enable_access_logging=config.endpoint.access_logging or None,
            dedicated_resources=_dedicated_resources(config),
            rollout=config.rollout.blocks(),
            promotion=config.training.promotion.block(model_id=tuned_model_id(config)) if training else None,
            # Machines are found before the container's own time begins, and traffic is moved after it.
            timeout=f"{config.serving.deployment_timeout_s + 1800}s",
        )
        self.output("endpoint_name", self.endpoint_name, "The endpoint.")
        self.output("predict_url", self.predict_url, "Where predictions are sent.")
        self.output("deployed_model_id", self.deployed.deployed_model_id, "What serves.")
        if training:
            self.output(
                "promotion_verdict", self.deployed.promotion_verdict, "Whether the tuned model serves, and why."
            )
        self.output("price_usd_per_hour", round(price(config).usd_per_hour, 4), "List price while this is up.")

    @property
    def endpoint_name(self) -> str:
        return str(self.endpoint.id)

    @property
    def predict_url(self) -> str:
        return self.deployed.predict_url


def _dedicated_resources(config: DeploymentConfig) -> dict[str, Any]:
    endpoint = config.endpoint
    machine: dict[str, Any] = {"machine_type": endpoint.machine_type}
    if endpoint.accelerator_type:
        machine |= {"accelerator_type": endpoint.accelerator_type, "accelerator_count": endpoint.accelerator_count}
    if endpoint.reservation:
        machine["reservation_affinity"] = [
            {
                "reservation_affinity_type": "SPECIFIC_RESERVATION",
                "key": RESERVATION_KEY,
                "values": [endpoint.reservation.name],
            }
        ]
    resources: dict[str, Any] = {
        "machine_spec": [machine],
        "min_replica_count": endpoint.min_replicas,
        "max_replica_count": endpoint.max_replicas,
    }
    if endpoint.spot:
        resources["spot"] = True
    if endpoint.duty_cycle_target is not None:
        resources["autoscaling_metric_specs"] = [{"metric_name": DUTY_CYCLE, "target": endpoint.duty_cycle_target}]
    return resources
