"""One service account per component, each with its least roles on the narrowest resource.

build: writes images, reads sources, writes logs. serving: reads models. ui: predicts, and nothing else (granted in
its stack). deployer: what CI needs to apply the stacks `model`, `endpoint` and `ui`; the `registry` stack, which
grants roles, is applied by a person.
"""

from __future__ import annotations

from typing import Any

from constructs import Construct

from cdk.config import DeploymentConfig

from cdktf_cdktf_provider_google.artifact_registry_repository import ArtifactRegistryRepository  # isort: skip
from cdktf_cdktf_provider_google.artifact_registry_repository_iam_member import (  # isort: skip
    ArtifactRegistryRepositoryIamMember,
)
from cdktf_cdktf_provider_google.project_iam_member import ProjectIamMember  # isort: skip
from cdktf_cdktf_provider_google.service_account import ServiceAccount  # isort: skip
from cdktf_cdktf_provider_google.service_account_iam_member import ServiceAccountIamMember  # isort: skip
from cdktf_cdktf_provider_google.storage_bucket import StorageBucket  # isort: skip
from cdktf_cdktf_provider_google.storage_bucket_iam_member import StorageBucketIamMember  # isort: skip

COMPONENTS = {
    "build": "Builds images",
    "serving": "Runs the model's container",
    "ui": "Runs the page",
    "deployer": "Applies the stacks from CI",
}
# For work that has no narrower resource to grant on than the project.
DEPLOYER_PROJECT_ROLES = ("roles/aiplatform.user", "roles/cloudbuild.builds.editor", "roles/run.admin")


class Identities(Construct):
    """The service accounts, by component."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        config: DeploymentConfig,
        repository: ArtifactRegistryRepository,
        staging: StorageBucket,
        models: StorageBucket,
    ) -> None:
        super().__init__(scope, id_)
        self._project = config.google.project
        self.accounts = {
            name: ServiceAccount(
                self, name, account_id=f"{config.prefix}-{name}", display_name=f"{title} ({config.env})"
            )
            for name, title in COMPONENTS.items()
        }
        self._on_repository("build", repository, "roles/artifactregistry.writer")
        self._on_bucket("build", "staging", staging, "roles/storage.objectViewer")
        self._on_project("build", "roles/logging.logWriter")
        self._on_bucket("serving", "models", models, "roles/storage.objectViewer")
        self._on_repository("deployer", repository, "roles/artifactregistry.reader")
        self._on_bucket("deployer", "staging", staging, "roles/storage.objectUser")
        for role in DEPLOYER_PROJECT_ROLES:
            self._on_project("deployer", role)
        for acted in ("build", "serving", "ui"):
            ServiceAccountIamMember(
                self,
                f"deployer-acts-as-{acted}",
                service_account_id=self.accounts[acted].name,
                role="roles/iam.serviceAccountUser",
                member=self.accounts["deployer"].member,
            )

    def email(self, component: str) -> str:
        return str(self.accounts[component].email)

    def _on_repository(self, who: str, repository: ArtifactRegistryRepository, role: str) -> None:
        ArtifactRegistryRepositoryIamMember(
            self,
            f"{who}-images",
            repository=repository.name,
            location=repository.location,
            role=role,
            member=self.accounts[who].member,
        )

    def _on_bucket(self, who: str, noun: str, bucket: StorageBucket, role: str) -> None:
        StorageBucketIamMember(self, f"{who}-{noun}", bucket=bucket.name, role=role, member=self.accounts[who].member)

    def _on_project(self, who: str, role: str) -> Any:
        id_ = f"{who}-{role.removeprefix('roles/').replace('.', '-').lower()}"
        return ProjectIamMember(self, id_, project=self._project, role=role, member=self.accounts[who].member)
