"""Whether Google's own accounts in the project still have the roles that they work with.

Vertex AI pulls the image, Cloud Build runs builds and Cloud Run pulls the page as such accounts. Google makes them,
with their role, when a service is enabled or first used; whoever tidies the project's policy takes it away.
Source: IAM, service agents.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdk.config import DeploymentConfig
from scripts.doctor.apis import enabled
from scripts.doctor.finding import Finding, failure, ok, warning
from scripts.doctor.places import is_applied
from scripts.google_api import GoogleApi

SUBJECT = "service agents"
# service -> (domain of its agent, role)
AGENTS = {
    "aiplatform": ("gcp-sa-aiplatform", "roles/aiplatform.serviceAgent"),
    "cloudbuild": ("gcp-sa-cloudbuild", "roles/cloudbuild.serviceAgent"),
    "run": ("serverless-robot-prod", "roles/run.serviceAgent"),
}


def service_agents(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    google, on = config.google, enabled(config, api)
    held = {
        (member, binding["role"])
        for binding in api.project_policy().get("bindings", [])
        for member in binding.get("members", [])
    }
    lacking = []
    for service, (domain, role) in AGENTS.items():
        member = f"serviceAccount:service-{google.project_number}@{domain}.iam.gserviceaccount.com"
        if service in on and (member, role) not in held:
            lacking.append((service, member, role))
    waiting = sorted(set(AGENTS) - on)
    if waiting:
        yield ok(SUBJECT, f"made when {', '.join(waiting)} {'is' if len(waiting) == 1 else 'are'} enabled")
    elif not lacking:
        yield ok(SUBJECT, f"{len(AGENTS)} have their roles")
    for service, member, role in lacking:
        cure = (
            f"gcloud beta services identity create --service={service}.googleapis.com --project={google.project} && "
            f"gcloud projects add-iam-policy-binding {google.project} --member={member} --role={role}"
        )
        text = f"{member.partition(':')[2]} has no {role}"
        yield failure(SUBJECT, text, cure) if is_applied(config, api) else warning(SUBJECT, text, cure)
