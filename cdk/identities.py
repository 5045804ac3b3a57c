"""One service account per component, each with its least roles on the narrowest resource that can hold them.

build      writes images, reads sources, writes logs
serving    reads the models bucket
ui         predicts, by a role of one permission
planner    plans all stacks and can change nothing: what a pull request's workflow holds
deployer   plans all stacks and applies `model`, `endpoint` and `ui`, as CI does. It cannot grant roles: the
           stack `registry`, which does, is applied by a person. So whoever holds it cannot make it more.
"""

from __future__ import annotations

from cdktf_cdktf_provider_google.artifact_registry_repository import ArtifactRegistryRepository
from cdktf_cdktf_provider_google.artifact_registry_repository_iam_member import ArtifactRegistryRepositoryIamMember
from cdktf_cdktf_provider_google.project_iam_custom_role import ProjectIamCustomRole
from cdktf_cdktf_provider_google.project_iam_member import ProjectIamMember
from cdktf_cdktf_provider_google.project_service import ProjectService
from cdktf_cdktf_provider_google.service_account import ServiceAccount
from cdktf_cdktf_provider_google.service_account_iam_member import ServiceAccountIamMember
from cdktf_cdktf_provider_google.storage_bucket import StorageBucket
from cdktf_cdktf_provider_google.storage_bucket_iam_member import StorageBucketIamMember
from constructs import Construct

from cdk.config import DeploymentConfig
from cdk.federation import GithubFederation

COMPONENTS = {
    "build": "Builds images",
    "serving": "Runs the model's container",
    "ui": "Runs the page",
    "planner": "Plans the stacks from CI",
    "deployer": "Applies the stacks from CI",
}
# To plan `registry` without being able to apply it: reads policies and settings.
REVIEWER_ROLES = ("roles/iam.securityReviewer", "roles/serviceusage.serviceUsageViewer")
POOL_VIEWER = "roles/iam.workloadIdentityPoolViewer"  # needed only where there is a pool to be planned
PLANNER_PROJECT_ROLES = (
    "roles/aiplatform.viewer",
    "roles/cloudbuild.builds.viewer",
    "roles/run.viewer",
    *REVIEWER_ROLES,
)
# Work that has no narrower resource to be granted on: what it acts on is made by the very same apply.
DEPLOYER_PROJECT_ROLES = (
    "roles/aiplatform.user",  # models, endpoints, deployments
    "roles/cloudbuild.builds.editor",  # triggers and builds
    "roles/run.admin",  # the page, and who may open it
    "roles/logging.viewer",  # why a container did not come up
    "roles/monitoring.viewer",  # whether a new version is fit for the next step of traffic
    *REVIEWER_ROLES,
)


class Identities(Construct):
    """The service accounts, by component."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        config: DeploymentConfig,
        repository: ArtifactRegistryRepository,
        buckets: dict[str, StorageBucket],
        apis: list[ProjectService],
    ) -> None:
        super().__init__(scope, id_)
        self._config, self._repository, self._buckets = config, repository, buckets
        self.accounts = {
            name: ServiceAccount(
                self,
                name,
                account_id=f"{config.prefix}-{name}",
                display_name=f"{title} ({config.env})",
                depends_on=apis,
            )
            for name, title in COMPONENTS.items()
        }
        self._on_repository("build", "roles/artifactregistry.writer")
        self._on_bucket("build", "staging", "roles/storage.objectViewer")
        self._on_project("build", "roles/logging.logWriter")
        self._on_bucket("serving", "models", "roles/storage.objectViewer")
        self._ui_predicts(apis)
        self._planner()
        self._deployer()
        self._github(apis)

    def email(self, component: str) -> str:
        return str(self.accounts[component].email)

    def _ui_predicts(self, apis: list[ProjectService]) -> None:
        role = ProjectIamCustomRole(
            self,
            "predictor",
            role_id=f"{self._config.prefix.replace('-', '_')}_predictor",
            title="Predicts through Vertex AI endpoints",
            permissions=["aiplatform.endpoints.predict"],
            depends_on=apis,
        )
        ProjectIamMember(
            self,
            "ui-predicts",
            project=self._config.google.project,  # an endpoint takes no policy of its own
            role=role.name,
            member=self.accounts["ui"].member,
        )

    def _planner(self) -> None:
        self._reads("planner", PLANNER_PROJECT_ROLES)
        self._on_state("planner", "roles/storage.objectViewer")

    def _reads(self, who: str, project_roles: tuple[str, ...]) -> None:
        self._on_repository(who, "roles/artifactregistry.reader")
        for noun in self._buckets:
            self._on_bucket(who, noun, "roles/storage.legacyBucketReader")
        for role in (*project_roles, *([POOL_VIEWER] if self._config.github else [])):
            self._on_project(who, role)

    def _deployer(self) -> None:
        self._reads("deployer", DEPLOYER_PROJECT_ROLES)
        self._on_bucket("deployer", "staging", "roles/storage.objectUser")
        for acted in ("build", "serving", "ui"):
            self._may("deployer", f"acts-as-{acted}", acted, "roles/iam.serviceAccountUser")
        self._on_state("deployer", "roles/storage.objectUser")
        for number, member in enumerate(self._config.access.deployers):
            pool = member.startswith(("principal://", "principalSet://"))
            ServiceAccountIamMember(
                self,
                f"deployer-held-by-{number}",
                service_account_id=self.accounts["deployer"].name,
                role="roles/iam.workloadIdentityUser" if pool else "roles/iam.serviceAccountTokenCreator",
                member=member,
            )

    def _github(self, apis: list[ProjectService]) -> None:
        github = self._config.github
        self.federation = github and GithubFederation(
            self,
            "github",
            github=github,
            branch=self._config.source.ref,
            prefix=self._config.prefix,
            planner=self.accounts["planner"],
            deployer=self.accounts["deployer"],
            apis=apis,
        )

    def _on_state(self, who: str, role: str) -> None:
        """Where the state is in a bucket; it is made by `make bootstrap`, before any stack."""
        bucket = self._config.terraform.state_bucket
        if bucket:
            member = self.accounts[who].member
            StorageBucketIamMember(self, f"{who}-state", bucket=bucket, role=role, member=member)

    def _on_repository(self, who: str, role: str) -> None:
        ArtifactRegistryRepositoryIamMember(
            self,
            f"{who}-images",
            repository=self._repository.name,
            location=self._repository.location,
            role=role,
            member=self.accounts[who].member,
        )

    def _on_bucket(self, who: str, noun: str, role: str) -> None:
        StorageBucketIamMember(
            self,
            f"{who}-{noun}-{_short(role)}",
            bucket=self._buckets[noun].name,
            role=role,
            member=self.accounts[who].member,
        )

    def _on_project(self, who: str, role: str) -> None:
        ProjectIamMember(
            self,
            f"{who}-{_short(role)}",
            project=self._config.google.project,
            role=role,
            member=self.accounts[who].member,
        )

    def _may(self, who: str, does: str, on: str, role: str) -> None:
        ServiceAccountIamMember(
            self,
            f"{who}-{does}",
            service_account_id=self.accounts[on].name,
            role=role,
            member=self.accounts[who].member,
        )


def _short(role: str) -> str:
    """`roles/run.admin` -> `run-admin`, for construct ids."""
    return role.removeprefix("roles/").replace(".", "-").lower()
