"""GitHub's workflows as identities of Google Cloud: no key exists that could leak.

A workflow's token is exchanged only when it is of the one repository, by number. Any of its workflows may plan; only a
job of a GitHub environment (where people approve) on the deployed branch may act as the deployer. GitHub gives
workflows of forked pull requests no token at all.
Source: GitHub, "OpenID Connect reference"; Google Cloud, Workload Identity Federation with deployment pipelines.
"""

from __future__ import annotations

from cdktf_cdktf_provider_google.iam_workload_identity_pool import IamWorkloadIdentityPool
from cdktf_cdktf_provider_google.iam_workload_identity_pool_provider import (
    IamWorkloadIdentityPoolProvider,
    IamWorkloadIdentityPoolProviderOidc,
)
from cdktf_cdktf_provider_google.project_service import ProjectService
from cdktf_cdktf_provider_google.service_account import ServiceAccount
from cdktf_cdktf_provider_google.service_account_iam_member import ServiceAccountIamMember
from constructs import Construct

from cdk.ci import Github

ISSUER = "https://token.actions.githubusercontent.com"
NOWHERE = "none"  # of a job without an environment; `cdk.ci` allows no environment of this name


class GithubFederation(Construct):
    """`provider_name`, for the workflows."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        github: Github,
        branch: str,
        prefix: str,
        planner: ServiceAccount,
        deployer: ServiceAccount,
        apis: list[ProjectService],
    ) -> None:
        super().__init__(scope, id_)
        self._pool = IamWorkloadIdentityPool(
            self,
            "pool",
            workload_identity_pool_id=f"{prefix}-github",
            display_name="GitHub's workflows",
            depends_on=apis,
        )
        self._provider = IamWorkloadIdentityPoolProvider(
            self,
            "provider",
            workload_identity_pool_id=self._pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="actions",
            display_name=github.repository.rpartition("/")[2][:32],
            attribute_mapping=_mapping(branch),
            attribute_condition=(
                f"assertion.repository_id == '{github.repository_id}' && "
                f"assertion.repository_owner_id == '{github.owner_id}'"
            ),
            oidc=IamWorkloadIdentityPoolProviderOidc(issuer_uri=ISSUER),
        )
        self._may_act_as("any-workflow-plans", planner, f"attribute.repository_id/{github.repository_id}")
        for does, environment in (("applies", github.apply_environment), ("stops", github.stop_environment)):
            self._may_act_as(f"{does}-from-its-environment", deployer, f"attribute.environment/{environment}")

    @property
    def provider_name(self) -> str:
        return str(self._provider.name)

    def _may_act_as(self, id_: str, account: ServiceAccount, who: str) -> None:
        ServiceAccountIamMember(
            self,
            id_,
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=f"principalSet://iam.googleapis.com/{self._pool.name}/{who}",
        )


def _mapping(branch: str) -> dict[str, str]:
    """The environment counts only on the deployed branch, whatever the environment's own settings allow."""
    quoted = branch.replace("\\", "\\\\").replace("'", "\\'")
    held = f"has(assertion.environment) && assertion.ref == '{quoted}'"
    return {
        "google.subject": "assertion.sub",
        "attribute.repository_id": "assertion.repository_id",
        "attribute.environment": f"{held} ? assertion.environment : '{NOWHERE}'",
    }
