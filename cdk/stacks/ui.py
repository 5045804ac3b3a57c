"""Stack `ui`: the page's image, and its Cloud Run service with an identity that may predict and nothing else."""

from __future__ import annotations

from cdktf_cdktf_provider_google.cloud_run_v2_service import (
    CloudRunV2Service,
    CloudRunV2ServiceTemplate,
    CloudRunV2ServiceTemplateContainers,
    CloudRunV2ServiceTemplateContainersEnv,
    CloudRunV2ServiceTemplateContainersPorts,
    CloudRunV2ServiceTemplateContainersResources,
    CloudRunV2ServiceTemplateContainersStartupProbe,
    CloudRunV2ServiceTemplateContainersStartupProbeHttpGet,
    CloudRunV2ServiceTemplateScaling,
)
from cdktf_cdktf_provider_google.cloud_run_v2_service_iam_member import CloudRunV2ServiceIamMember
from constructs import Construct

from cdk.config import DeploymentConfig
from cdk.images import Images
from cdk.naming import page_name
from cdk.pairings import PAGE_MARGIN_S
from cdk.prices.deployment import price
from cdk.stacks.deployment import DeploymentStack
from cdk.stacks.endpoint import EndpointStack
from cdk.stacks.registry import RegistryStack
from cdk.triggers import UI_TIMEOUT_S
from cdk.vertex import VertexImageBuild

PORT = 7860
HEALTH = "/healthz"
INGRESS = {
    "all": "INGRESS_TRAFFIC_ALL",
    "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "internal-and-load-balancer": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}


class UiStack(DeploymentStack):
    """The page in front of the endpoint. Private unless the deployment says otherwise."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        config: DeploymentConfig,
        registry: RegistryStack,
        endpoint: EndpointStack,
        images: Images,
    ) -> None:
        super().__init__(scope, id_, config=config)
        self._registry, self._endpoint = registry, endpoint
        source = images.ui
        self.image = VertexImageBuild(
            self,
            "image",
            image=registry.ui_trigger.image,
            content_hash=source.content_hash,
            trigger=registry.ui_trigger.name,
            timeout=f"{UI_TIMEOUT_S + 600}s",
            **images.delivery(source, bucket=registry.staging.name),
        )
        self.service = CloudRunV2Service(
            self,
            "page",
            name=page_name(config),
            location=config.google.region,
            deletion_protection=config.ui.deletion_protection,  # the provider's own default makes a destroy fail
            ingress=INGRESS[config.ui.ingress],
            template=self._template(),
        )
        self._access()
        self.output("ui_url", self.service.uri, "The page.")
        self.output("image_uri", self.image.image_uri, "The page's image, by digest.")

    def _template(self) -> CloudRunV2ServiceTemplate:
        config = self.config
        return CloudRunV2ServiceTemplate(
            service_account=self._registry.identities.email("ui"),
            timeout=f"{config.ui.timeout_s}s",
            session_affinity=True,  # Gradio keeps a session in the instance it began in
            scaling=CloudRunV2ServiceTemplateScaling(
                min_instance_count=config.ui.min_instances, max_instance_count=config.ui.max_instances
            ),
            containers=[
                CloudRunV2ServiceTemplateContainers(
                    image=self.image.image_uri,
                    ports=CloudRunV2ServiceTemplateContainersPorts(container_port=PORT),
                    resources=CloudRunV2ServiceTemplateContainersResources(
                        limits={"cpu": config.ui.cpu, "memory": config.ui.memory},
                        cpu_idle=True,  # billed by request; unset beside `limits` it would be billed always
                        startup_cpu_boost=True,
                    ),
                    env=[
                        CloudRunV2ServiceTemplateContainersEnv(name=name, value=value)
                        for name, value in sorted(self._environment().items())
                    ],
                    startup_probe=CloudRunV2ServiceTemplateContainersStartupProbe(
                        http_get=CloudRunV2ServiceTemplateContainersStartupProbeHttpGet(path=HEALTH, port=PORT),
                        period_seconds=5,
                        timeout_seconds=3,
                        failure_threshold=24,
                    ),
                )
            ],
        )

    def _environment(self) -> dict[str, str]:
        return {
            "ENDPOINT": self._endpoint.endpoint_name,
            "PREDICT_URL": self._endpoint.predict_url,
            "MODEL_NAME": self.config.model.display_name,
            "PREDICT_TIMEOUT_S": str(self.config.endpoint.request_timeout_s + PAGE_MARGIN_S),
            "PRICE_USD_PER_HOUR": f"{price(self.config).usd_per_hour:.2f}",
            "REGION": self.config.google.region,
        }

    def _access(self) -> None:
        members = (
            {"everybody": "allUsers"}
            if self.config.ui.public
            else {f"invoker-{number}": member for number, member in enumerate(self.config.ui.invokers)}
        )
        for id_, member in members.items():
            CloudRunV2ServiceIamMember(
                self,
                id_,
                name=self.service.name,
                location=self.service.location,
                role="roles/run.invoker",
                member=member,
            )
