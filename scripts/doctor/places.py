"""Whether buckets and the image repository are where the deployment is: elsewhere they are slow, or refused.

Vertex AI takes images only from a repository of the model's region.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdk.config import DeploymentConfig
from cdk.naming import bucket_name, repository_id
from scripts.doctor.finding import Finding, failure, ok, warning
from scripts.google_api import Document, GoogleApi, NotThere, Refused

BUCKETS = ("staging", "models")


def is_applied(config: DeploymentConfig, api: GoogleApi) -> bool:
    """Whether the stack `registry` was: its staging bucket is there, in whatever region."""
    return _bucket(api, bucket_name(config, "staging")) is not None


def places(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    yield from _state_bucket(config, api)
    yield from _buckets(config, api)
    yield _repository(config, api)


def _bucket(api: GoogleApi, name: str) -> Document | None:
    try:
        return api.get("storage", f"/storage/v1/b/{name}")
    except NotThere:
        return None


def _state_bucket(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    name = config.terraform.state_bucket
    if name is None:
        yield ok("state", f"a file on this machine, .flanstack/state/{config.env}")
        return
    try:
        found = _bucket(api, name)
    except Refused as error:
        yield failure("state", f"gs://{name}: {error}", f"Choose another name, or ask the owner of gs://{name}.")
        return
    if found is None:
        yield failure("state", f"there is no bucket gs://{name}", f"make bootstrap ENV={config.env}")
    elif not found.get("versioning", {}).get("enabled"):
        text = f"gs://{name} keeps no versions: a lost state cannot be brought back"
        yield warning("state", text, f"gcloud storage buckets update gs://{name} --versioning")
    else:
        yield ok("state", f"gs://{name}, with versions")


def _buckets(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    region = config.google.region
    found = {noun: _bucket(api, bucket_name(config, noun)) for noun in BUCKETS}
    for noun, document in found.items():
        where = str(document["location"]).lower() if document else region
        if where != region:
            name = bucket_name(config, noun)
            cure = (
                f'Set google.region = "{where}", or move what it holds and remove it: '
                f"gcloud storage rm --recursive gs://{name}"
            )
            yield failure("buckets", f"gs://{name} is in {where}, the deployment in {region}", cure)
    if all(document is None for document in found.values()):
        yield ok("buckets", f"none yet; the first deploy makes them in {region}")
    elif all(document is None or str(document["location"]).lower() == region for document in found.values()):
        yield ok("buckets", f"in {region}")


def _repository(config: DeploymentConfig, api: GoogleApi) -> Finding:
    region, name = config.google.region, repository_id(config)
    try:
        document = api.get("artifactregistry", f"/v1/{api.parent}/repositories/{name}")
    except (NotThere, Refused) as error:
        if is_applied(config, api):
            text = f"{name} is not to be seen in {region}, though its buckets are there: {error}"
            cure = f"Is google.region right? Else `make deploy ENV={config.env}` makes it again."
            return failure("repository", text, cure)
        if isinstance(error, NotThere):
            return ok("repository", f"none yet; the first deploy makes {name} in {region}")
        raise
    if document.get("format") != "DOCKER":
        text = f"{name} holds {document.get('format')}, not DOCKER"
        return failure("repository", text, f"gcloud artifacts repositories delete {name} --location={region}")
    return ok("repository", f"{name} in {region}")
