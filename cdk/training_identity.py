"""The identity of a training job: its own bucket, its log, its TensorBoard; nothing else.

And who else comes near that bucket: the serving container reads the tuned weights, the deployer the metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdktf_cdktf_provider_google.project_iam_custom_role import ProjectIamCustomRole
from cdktf_cdktf_provider_google.project_iam_member import ProjectIamMember
from cdktf_cdktf_provider_google.service_account import ServiceAccount
from cdktf_cdktf_provider_google.service_account_iam_member import ServiceAccountIamMember
from cdktf_cdktf_provider_google.storage_bucket import StorageBucket
from cdktf_cdktf_provider_google.storage_bucket_iam_member import StorageBucketIamMember
from constructs import Construct

from cdk.config import DeploymentConfig

if TYPE_CHECKING:
    from cdk.stacks.registry import RegistryStack

# What Vertex AI does in a job's name when it copies event files into TensorBoard; there is no ready-made role so small.
TENSORBOARD_PERMISSIONS = [
    "aiplatform.tensorboards.get",
    *(
        f"aiplatform.tensorboard{noun}.{verb}"
        for noun in ("Experiments", "Runs")
        for verb in ("create", "get", "list", "update", "write")
    ),
    "aiplatform.tensorboardRuns.batchCreate",
    *(f"aiplatform.tensorboardTimeSeries.{verb}" for verb in ("batchCreate", "create", "get", "list", "update")),
]


class TrainingIdentity(Construct):
    """`email`, for the job."""

    def __init__(
        self, scope: Construct, id_: str, *, config: DeploymentConfig, bucket: StorageBucket, registry: RegistryStack
    ) -> None:
        super().__init__(scope, id_)
        self._bucket, accounts = bucket, registry.identities.accounts
        self.account = ServiceAccount(
            self,
            "account",
            account_id=f"{config.prefix}-training",
            display_name=f"Fine-tunes models ({config.env})",
        )
        project, deployer = config.google.project, str(accounts["deployer"].member)
        self._on_bucket("training-writes", self.account.member, "roles/storage.objectUser")
        self._on_bucket("serving-reads", str(accounts["serving"].member), "roles/storage.objectViewer")
        self._on_bucket("deployer-reads", deployer, "roles/storage.objectViewer")
        self._on_bucket("deployer-sees", deployer, "roles/storage.legacyBucketReader")
        self._on_bucket("planner-sees", str(accounts["planner"].member), "roles/storage.legacyBucketReader")
        role = ProjectIamCustomRole(
            self,
            "tensorboard-writer",
            role_id=f"{config.prefix.replace('-', '_')}_tensorboard_writer",
            title="Writes to Vertex AI TensorBoards",
            permissions=TENSORBOARD_PERMISSIONS,
        )
        ProjectIamMember(self, "tensorboard", project=project, role=role.name, member=self.account.member)
        ProjectIamMember(self, "logs", project=project, role="roles/logging.logWriter", member=self.account.member)
        ServiceAccountIamMember(
            self,
            "deployer-acts",
            service_account_id=self.account.name,
            role="roles/iam.serviceAccountUser",
            member=deployer,
        )

    @property
    def email(self) -> str:
        return str(self.account.email)

    def _on_bucket(self, id_: str, member: str, role: str) -> None:
        StorageBucketIamMember(self, id_, bucket=self._bucket.name, role=role, member=member)
