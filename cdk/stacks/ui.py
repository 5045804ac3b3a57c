"""Stack `ui`: the page's image, its Cloud Run service, and an identity that may predict and nothing else."""

from __future__ import annotations

from constructs import Construct

from cdk.config import DeploymentConfig
from cdk.images import Images
from cdk.prices import price
from cdk.stacks.deployment import DeploymentStack
from cdk.stacks.endpoint import EndpointStack
from cdk.stacks.registry import RegistryStack
from cdk.triggers import UI_TIMEOUT_S
from cdk.vertex import VertexImageBuild

from cdktf_cdktf_provider_google.cloud_run_v2_service import (  # isort: skip  after the prepared package
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
from cdktf_cdktf_provider_google.cloud_run_v2_service_iam_member import CloudRunV2ServiceIamMember  # isort: skip
from cdktf_cdktf_provider_google.project_iam_custom_role import ProjectIamCustomRole  # isort: skip
from cdktf_cdktf_provider_google.project_iam_member import ProjectIamMember  # isort: skip

PORT = 7860
HEALTH = "/healthz"
REQUEST_TIMEOUT_S = 900


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
        permission = self._may_predict()
        self.service = CloudRunV2Service(
            self,
            "page",
            name=f"{config.prefix}-ui",
            location=config.google.region,
            deletion_protection=False,  # the provider's default, true, makes `cdktf destroy` fail
            ingress="INGRESS_TRAFFIC_ALL",
            template=self._template(),
            depends_on=[permission],
        )
        self._access()
        self.output("ui_url", self.service.uri, "The page.")
        self.output("image_uri", self.image.image_uri, "The page's image, by digest.")

    def _may_predict(self) -> ProjectIamMember:
        """A role with one permission. Vertex AI has no narrower resource to grant it on than the project."""
        config = self.config
        role = ProjectIamCustomRole(
            self,
            "predictor",
            role_id=f"{config.prefix.replace('-', '_')}_predictor",
            title="Predicts through Vertex AI endpoints",
            permissions=["aiplatform.endpoints.predict"],
        )
        member = self._registry.identities.accounts["ui"].member
        return ProjectIamMember(self, "ui-predicts", project=config.google.project, role=role.name, member=member)

    def _template(self) -> CloudRunV2ServiceTemplate:
        config = self.config
        return CloudRunV2ServiceTemplate(
            service_account=self._registry.identities.email("ui"),
            timeout=f"{REQUEST_TIMEOUT_S}s",
            session_affinity=True,  # Gradio keeps a session in the instance it began in
            scaling=CloudRunV2ServiceTemplateScaling(
                min_instance_count=config.ui.min_instances, max_instance_count=config.ui.max_instances
            ),
            containers=[
                CloudRunV2ServiceTemplateContainers(
                    image=self.image.image_uri,
                    ports=CloudRunV2ServiceTemplateContainersPorts(container_port=PORT),
                    resources=CloudRunV2ServiceTemplateContainersResources(
                        limits={"cpu": config.ui.cpu, "memory": config.ui.memory}, startup_cpu_boost=True
                    ),
                    env=[
                        CloudRunV2ServiceTemplateContainersEnv(name=name, value=value)
                        for name, value in sorted(self._environment().items())
                    ],
                    startup_probe=CloudRunV2ServiceTemplateContainersStartupProbe(
                        http_get=CloudRunV2ServiceTemplateContainersStartupProbeHttpGet(path=HEALTH),
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
