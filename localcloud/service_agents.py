"""Google's own accounts in a project: made, with their role, when a service is switched on.

A role that somebody takes away stays away, as with Google; `generateServiceIdentity` names the account and grants
nothing.
Source: IAM, service agents; Service Usage v1beta1, services.generateServiceIdentity.
"""

from __future__ import annotations

from localcloud.cloud import LocalCloud
from localcloud.policies import get_policy, set_policy
from localcloud.store import Document

# service -> (domain of its agent, role)
AGENTS = {
    "aiplatform": ("gcp-sa-aiplatform", "roles/aiplatform.serviceAgent"),
    "artifactregistry": ("gcp-sa-artifactregistry", "roles/artifactregistry.serviceAgent"),
    "cloudbuild": ("gcp-sa-cloudbuild", "roles/cloudbuild.serviceAgent"),
    "run": ("serverless-robot-prod", "roles/run.serviceAgent"),
}


def email_of(number: str, service: str) -> str | None:
    """service: `run.googleapis.com`. None for one that has no agent here."""
    agent = AGENTS.get(service.removesuffix(".googleapis.com"))
    return f"service-{number}@{agent[0]}.iam.gserviceaccount.com" if agent else None


def introduce(cloud: LocalCloud, project: str, service: str) -> None:
    """Gives the service's agent its role in the project, as switching the service on does."""
    email = email_of(cloud.projects.number(project), service)
    if email is None:
        return
    role, resource = AGENTS[service.removesuffix(".googleapis.com")][1], f"projects/{project}"
    with cloud.store.transaction():
        policy = get_policy(cloud.store, resource)
        bindings: list[Document] = policy.setdefault("bindings", [])
        binding = next((one for one in bindings if one["role"] == role and "condition" not in one), None)
        if binding is None:
            binding = {"role": role, "members": []}
            bindings.append(binding)
        if f"serviceAccount:{email}" not in binding["members"]:
            binding["members"] = [*binding["members"], f"serviceAccount:{email}"]
            set_policy(cloud.store, resource, policy)
