"""Whether the services that the stacks need are enabled in the project.

The stack `registry` enables them; before its first apply they may be off, save the two that Terraform enables the
others with.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdk.config import DeploymentConfig
from cdk.naming import APIS
from scripts.doctor.finding import Finding, failure, ok, warning
from scripts.doctor.places import is_applied
from scripts.google_api import GoogleApi

SUBJECT = "APIs"
FIRST = frozenset({"serviceusage", "cloudresourcemanager"})


def enabled(config: DeploymentConfig, api: GoogleApi) -> set[str]:
    """Short names of those of APIS that are on."""
    parent = f"projects/{config.google.project_number}"
    names = [f"{parent}/services/{name}.googleapis.com" for name in APIS]
    answer = api.get("serviceusage", f"/v1/{parent}/services:batchGet", names=names)
    on = [one["name"] for one in answer.get("services", []) if one.get("state") == "ENABLED"]
    return {name.rpartition("/")[2].removesuffix(".googleapis.com") for name in on}


def apis(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    off = [name for name in APIS if name not in enabled(config, api)]
    if not off:
        yield ok(SUBJECT, f"all {len(APIS)} are enabled")
        return
    services = " ".join(f"{name}.googleapis.com" for name in off)
    cure = f"gcloud services enable {services} --project={config.google.project}"
    said = f"not enabled: {', '.join(off)}"
    if FIRST & set(off):
        yield failure(SUBJECT, f"{said}; Terraform enables the others with {' and '.join(sorted(FIRST))}", cure)
    elif is_applied(config, api):
        yield failure(SUBJECT, f"{said}, though the stack registry was applied", cure)
    else:
        yield warning(SUBJECT, f"{said}; the first deploy enables them", f"{cure} (or let the deploy do it)")
