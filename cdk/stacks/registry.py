"""Stack `registry`: what has to be there before anything can be built or deployed.

APIs, the image repository, buckets, one identity per component with its least roles, and the build triggers.
"""

from __future__ import annotations

from constructs import Construct

from cdk.config import DeploymentConfig
from cdk.identities import Identities
from cdk.stacks.deployment import DeploymentStack
from cdk.triggers import ImageTrigger, connected_repository

from cdktf_cdktf_provider_google.artifact_registry_repository import (  # isort: skip  after the prepared package
    ArtifactRegistryRepository,
    ArtifactRegistryRepositoryCleanupPolicies,
    ArtifactRegistryRepositoryCleanupPoliciesCondition,
    ArtifactRegistryRepositoryCleanupPoliciesMostRecentVersions,
    ArtifactRegistryRepositoryDockerConfig,
)
from cdktf_cdktf_provider_google.project_service import ProjectService  # isort: skip
from cdktf_cdktf_provider_google.storage_bucket import (  # isort: skip
    StorageBucket,
    StorageBucketLifecycleRule,
    StorageBucketLifecycleRuleAction,
    StorageBucketLifecycleRuleCondition,
)

APIS = ("aiplatform", "artifactregistry", "cloudbuild", "iam", "logging", "run", "storage")
KEPT_VERSIONS = 5
UNTAGGED_KEPT = "604800s"  # seven days
SOURCE_KEPT_DAYS = 30


class RegistryStack(DeploymentStack):
    """`image_prefix`, triggers, buckets and identities, for the stacks that follow."""

    def __init__(self, scope: Construct, id_: str, *, config: DeploymentConfig) -> None:
        super().__init__(scope, id_, config=config)
        prefix, google = config.prefix, config.google
        apis = [
            ProjectService(self, f"api-{name}", service=f"{name}.googleapis.com", disable_on_destroy=False)
            for name in APIS
        ]
        self.repository = ArtifactRegistryRepository(
            self,
            "images",
            repository_id=f"{prefix}-images",
            location=google.region,
            format="DOCKER",
            description="Serving and UI images, built once per content.",
            docker_config=ArtifactRegistryRepositoryDockerConfig(immutable_tags=True),
            cleanup_policies=_cleanup_policies(),
            depends_on=apis,
        )
        self.staging = self._bucket("staging", expires_days=SOURCE_KEPT_DAYS)
        self.models = self._bucket("models", expires_days=None)
        self.identities = Identities(
            self, "identities", config=config, repository=self.repository, staging=self.staging, models=self.models
        )
        repository = connected_repository(self, config)
        self.serving_trigger = ImageTrigger.serving(self, config=config, repository=repository)
        self.ui_trigger = ImageTrigger.ui(self, config=config, repository=repository)
        self.output("image_prefix", self.image_prefix, "Where images are, before their name.")
        self.output("serving_trigger", self.serving_trigger.name, "The trigger that builds the serving image.")
        self.output("ui_trigger", self.ui_trigger.name, "The trigger that builds the UI image.")
        self.output("staging_bucket", self.staging.name, "Bucket of uploaded sources.")

    @property
    def image_prefix(self) -> str:
        google = self.config.google
        return f"{google.region}-docker.pkg.dev/{google.project}/{self.repository.repository_id}"

    def _bucket(self, noun: str, *, expires_days: int | None) -> StorageBucket:
        rules = [
            StorageBucketLifecycleRule(
                action=StorageBucketLifecycleRuleAction(type="Delete"),
                condition=StorageBucketLifecycleRuleCondition(age=expires_days),
            )
        ]
        return StorageBucket(
            self,
            noun,
            # Bucket names are shared by everybody, so the project's name goes in.
            name=f"{self.config.google.project}-{self.config.prefix}-{noun}",
            location=self.config.google.region,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            # Sources can be made again at any time; models cannot, so destroy refuses while there are any.
            force_destroy=expires_days is not None,
            lifecycle_rule=rules if expires_days is not None else None,
        )


def _cleanup_policies() -> list[ArtifactRegistryRepositoryCleanupPolicies]:
    """Untagged layers go after a week; the newest versions of each image stay whatever their age."""
    return [
        ArtifactRegistryRepositoryCleanupPolicies(
            id="delete-untagged",
            action="DELETE",
            condition=ArtifactRegistryRepositoryCleanupPoliciesCondition(
                tag_state="UNTAGGED", older_than=UNTAGGED_KEPT
            ),
        ),
        ArtifactRegistryRepositoryCleanupPolicies(
            id="keep-newest",
            action="KEEP",
            most_recent_versions=ArtifactRegistryRepositoryCleanupPoliciesMostRecentVersions(keep_count=KEPT_VERSIONS),
        ),
    ]
