"""Whether the images that are wanted, and those that run now, are in the registry by their digests."""

from __future__ import annotations

from collections.abc import Iterator

from cdk.config import DeploymentConfig
from cdk.images import Images
from cdk.naming import SERVING_IMAGE, TAG_LENGTH, UI_IMAGE, page_name, repository_id
from cdk.sources import ImageSource, SourceError
from scripts.doctor.finding import Finding, failure, ok, warning
from scripts.google_api import GoogleApi, NotThere

SUBJECT = "images"


def images(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    sources = Images(config)
    try:
        wanted = {SERVING_IMAGE: sources.serving, UI_IMAGE: sources.ui}
    except SourceError as error:
        yield failure(SUBJECT, str(error), "As the line says; then run `make doctor` again.")
        return
    for package, source in wanted.items():
        yield _wanted(config, api, package, source)
    yield from _running_page(config, api)


def _repository(config: DeploymentConfig, api: GoogleApi) -> str:
    return f"/v1/{api.parent}/repositories/{repository_id(config)}"


def _wanted(config: DeploymentConfig, api: GoogleApi, package: str, source: ImageSource) -> Finding:
    tag = source.content_hash[:TAG_LENGTH]
    try:
        found = api.get("artifactregistry", f"{_repository(config, api)}/packages/{package}/tags/{tag}")
    except NotThere:
        longest = config.build.timeout_s // 60
        return ok(SUBJECT, f"{package}: this source was not built yet; the deploy builds it (at most {longest} min)")
    digest = str(found["version"]).rpartition("/")[2]
    return ok(SUBJECT, f"{package}: built, {digest[:19]}…")


def _running_page(config: DeploymentConfig, api: GoogleApi) -> Iterator[Finding]:
    """Cloud Run pulls the page's image again for every new instance, so it must stay. Vertex AI keeps a copy."""
    try:
        service = api.get("run", f"/v2/{api.parent}/services/{page_name(config)}")
    except NotThere:
        return
    image = str(service["template"]["containers"][0]["image"])
    path, _, digest = image.partition("@")
    if not digest:
        yield warning(SUBJECT, f"the page runs {image}, which is no digest", f"make deploy ENV={config.env}")
        return
    package = path.rpartition("/")[2]
    try:
        api.get("artifactregistry", f"{_repository(config, api)}/dockerImages/{package}@{digest}")
    except NotThere:
        text = f"the page runs {package}@{digest[:19]}…, which is gone from {repository_id(config)}: no instance starts"
        yield failure(SUBJECT, text, f"make deploy ENV={config.env} (builds it again)")
    else:
        yield ok(SUBJECT, "the page's image is in the registry")
