"""Whether there is somebody to deploy as, and whether the project is the one that the deployment file means."""

from __future__ import annotations

from collections.abc import Iterator

from cdk.config import DeploymentConfig
from scripts.doctor.finding import Finding, failure, ok, warning
from scripts.google_api import GoogleApi, NoCredentials, NotThere, Refused, Unreachable

SUBJECT = "credentials"


def credentials(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    """The credentials, and the project seen with them: one question answers both."""
    google, file = config.google, f"deployments/{config.env}.toml"
    try:
        project = api.get("cloudresourcemanager", f"/v1/projects/{google.project}")
    except NoCredentials as error:
        yield failure(SUBJECT, str(error), "gcloud auth application-default login")
        return
    except Unreachable as error:
        start = f"make up{'' if config.env == 'local' else f' (it uses {google.api_endpoint})'}"
        yield failure(SUBJECT, str(error), start if api.is_local else "Look at the network.")
        return
    except NotThere:
        yield failure("project", f"there is no project {google.project}", f"Put yours into {file}: google.project.")
        return
    except Refused as error:
        yield _refused(error, google.project)
        return
    yield ok(SUBJECT, "accepted")
    number, state = str(project.get("projectNumber", "")), project.get("lifecycleState", project.get("state"))
    if state != "ACTIVE":
        yield failure("project", f"{google.project} is {state}", f"gcloud projects undelete {google.project}")
    elif number != google.project_number:
        wrong = f"{google.project} has number {number}, {file} says {google.project_number}"
        yield failure("project", wrong, f'google.project_number = "{number}"')
    else:
        yield ok("project", f"{google.project} ({number})")


def _refused(error: Refused, project: str) -> Finding:
    if error.status == 401:
        return failure(SUBJECT, f"refused: {error}", "gcloud auth application-default login")
    # Google says 403 of a project that is not there, too.
    cure = f"gcloud projects get-iam-policy {project}, and ask for roles/browser or more."
    if "has not been used" in str(error) or "disabled" in str(error):
        services = "cloudresourcemanager.googleapis.com serviceusage.googleapis.com"
        cure = f"gcloud services enable {services} --project={project}"
    return warning("project", f"{project} cannot be looked at: {error}", cure)
