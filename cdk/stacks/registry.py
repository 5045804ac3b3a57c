"""Stack `registry`: what has to be there before anything can be built or deployed.

APIs, the image repository, buckets, one identity per component with its least roles, and the build triggers.
"""

from __future__ import annotations

from cdktf_cdktf_provider_google.artifact_registry_repository import (
    ArtifactRegistryRepository,
    ArtifactRegistryRepositoryCleanupPolicies,
    ArtifactRegistryRepositoryCleanupPoliciesCondition,
    ArtifactRegistryRepositoryCleanupPoliciesMostRecentVersions,
    ArtifactRegistryRepositoryDockerConfig,
)
from cdktf_cdktf_provider_google.project_service import ProjectService
from cdktf_cdktf_provider_google.storage_bucket import (
    StorageBucket,
    StorageBucketLifecycleRule,
    StorageBucketLifecycleRuleAction,
    StorageBucketLifecycleRuleCondition,
)
from constructs import Construct

from cdk.config import DeploymentConfig
from cdk.identities import Identities
from cdk.naming import APIS, SERVING_IMAGE, UI_IMAGE, bucket_name, repository_id
from cdk.stacks.deployment import DeploymentStack
from cdk.triggers import ImageTrigger, serving_build, source_to_build, ui_build

KEPT_VERSIONS = 5
OLD = "2592000s"  # thirty days
PLACEHOLDER = "your-project-id"
SOURCE_KEPT_DAYS = 30


class RegistryStack(DeploymentStack):
    """`image_prefix`, triggers, buckets and identities, for the stacks that follow."""

    def __init__(self, scope: Construct, id_: str, *, config: DeploymentConfig) -> None:
        super().__init__(scope, id_, config=config)
        google = config.google
        apis = [
            ProjectService(self, f"api-{name}", service=f"{name}.googleapis.com", disable_on_destroy=False)
            for name in APIS
        ]
        self.repository = ArtifactRegistryRepository(
            self,
            "images",
            repository_id=repository_id(config),
            location=google.region,
            format="DOCKER",
            description="Serving and UI images, built once per content.",
            docker_config=ArtifactRegistryRepositoryDockerConfig(immutable_tags=True),
            cleanup_policies=_cleanup_policies(),
            depends_on=apis,
        )
        self.staging = self._bucket("staging", expires_days=SOURCE_KEPT_DAYS, apis=apis)
        self.models = self._bucket("models", expires_days=None, apis=apis)
        self.identities = Identities(
            self,
            "identities",
            config=config,
            repository=self.repository,
            buckets={"staging": self.staging, "models": self.models},
            apis=apis,
        )
        self._triggers(apis)
        if config.google.project == PLACEHOLDER:
            self.warn(
                f'google.project is still "{PLACEHOLDER}": put your project and its number into '
                f"deployments/{config.env}.toml before you deploy"
            )
        self.output("image_prefix", self.image_prefix, "Where images are, before their name.")
        self.output("serving_trigger", self.serving_trigger.name, "The trigger that builds the serving image.")
        self.output("ui_trigger", self.ui_trigger.name, "The trigger that builds the UI image.")
        for name in ("planner", "deployer"):
            self.output(f"{name}_email", self.identities.email(name), f"The {name}, for CI.")
        if self.identities.federation:
            provider = self.identities.federation.provider_name
            self.output("workload_identity_provider", provider, "What GitHub's workflows authenticate with.")
        self.output("staging_bucket", self.staging.name, "Bucket of uploaded sources.")

    @property
    def image_prefix(self) -> str:
        google = self.config.google
        return f"{google.region}-docker.pkg.dev/{google.project}/{self.repository.repository_id}"

    def _triggers(self, apis: list[ProjectService]) -> None:
        config = self.config
        account = self.identities.accounts["build"]
        self.source = source = source_to_build(self, config=config, apis=apis)
        self.serving_trigger = ImageTrigger(
            self,
            "serving-image",
            config=config,
            image=f"{self.image_prefix}/{SERVING_IMAGE}",
            account=account,
            source=source,
            build=serving_build(config.build, tags=config.build_tags),
            apis=apis,
            substitutions={"_WEIGHTS": "{}"},
        )
        self.ui_trigger = ImageTrigger(
            self,
            "ui-image",
            config=config,
            image=f"{self.image_prefix}/{UI_IMAGE}",
            account=account,
            source=source,
            build=ui_build(tags=config.build_tags),
            apis=apis,
        )

    def _bucket(self, noun: str, *, expires_days: int | None, apis: list[ProjectService]) -> StorageBucket:
        rules = [
            StorageBucketLifecycleRule(
                action=StorageBucketLifecycleRuleAction(type="Delete"),
                condition=StorageBucketLifecycleRuleCondition(age=expires_days),
            )
        ]
        return StorageBucket(
            self,
            noun,
            name=bucket_name(self.config, noun),
            location=self.config.google.region,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            # Sources can be made again at any time; models cannot, so destroy refuses while there are any.
            force_destroy=expires_days is not None,
            lifecycle_rule=rules if expires_days is not None else None,
            depends_on=apis,
        )


def _cleanup_policies() -> list[ArtifactRegistryRepositoryCleanupPolicies]:
    """Old versions go, tagged by their content or not; the newest of each image stay whatever their age."""
    return [
        ArtifactRegistryRepositoryCleanupPolicies(
            id="delete-old",
            action="DELETE",
            condition=ArtifactRegistryRepositoryCleanupPoliciesCondition(tag_state="ANY", older_than=OLD),
        ),
        ArtifactRegistryRepositoryCleanupPolicies(
            id="keep-newest",
            action="KEEP",
            most_recent_versions=ArtifactRegistryRepositoryCleanupPoliciesMostRecentVersions(keep_count=KEPT_VERSIONS),
        ),
    ]
