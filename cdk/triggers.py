"""Cloud Build triggers: the builds that make the images, declared once and run by the provider.

Substitutions `_IMAGE`, `_TAG` and `_WEIGHTS` are given by whoever runs a build; the triggers' own values only make a
run by hand fail with a clear sentence. Knows nothing of what goes into an image.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_google.cloudbuild_trigger import (
    CloudbuildTrigger,
    CloudbuildTriggerBuild,
    CloudbuildTriggerBuildOptions,
    CloudbuildTriggerBuildStep,
    CloudbuildTriggerSourceToBuild,
)
from cdktf_cdktf_provider_google.cloudbuildv2_connection import (
    Cloudbuildv2Connection,
    Cloudbuildv2ConnectionGithubConfig,
    Cloudbuildv2ConnectionGithubConfigAuthorizerCredential,
)
from cdktf_cdktf_provider_google.cloudbuildv2_repository import Cloudbuildv2Repository
from cdktf_cdktf_provider_google.project_service import ProjectService
from cdktf_cdktf_provider_google.service_account import ServiceAccount
from constructs import Construct

from cdk.config import Build, DeploymentConfig

UI_TIMEOUT_S = 1200
DOCKER = "gcr.io/cloud-builders/docker"
PYTHON = "python:3.11-slim"
# `$$` is Terraform's escape: Cloud Build sees ${_IMAGE}:${_TAG}.
IMAGE, WEIGHTS, GIT_SHA = "$${_IMAGE}:$${_TAG}", "$${_WEIGHTS}", "$${_GIT_SHA}"


class ImageTrigger(Construct):
    """A trigger that is run by the provider. `name`: its full name; `image`: what it builds, without a tag."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        config: DeploymentConfig,
        image: str,
        account: ServiceAccount,
        source: CloudbuildTriggerSourceToBuild,
        build: CloudbuildTriggerBuild,
        apis: list[ProjectService],
        substitutions: dict[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id_)
        self._google = config.google
        self.image = image
        self.trigger = CloudbuildTrigger(
            self,
            "trigger",
            name=f"{config.prefix}-{id_}",
            location=config.google.region,
            description="Builds an image; run by Terraform, once per content.",
            service_account=account.name,
            source_to_build=source,
            build_attribute=build,
            substitutions={"_IMAGE": image, "_TAG": "by-hand", **(substitutions or {})},
            depends_on=apis,
        )

    @property
    def name(self) -> str:
        return f"projects/{self._google.project}/locations/{self._google.region}/triggers/{self.trigger.trigger_id}"


def serving_build(build: Build, *, tags: list[str]) -> CloudbuildTriggerBuild:
    """Fetches the weights and checks their sums, then builds the image around them. tags: of every build."""
    fetch = CloudbuildTriggerBuildStep(
        id="weights",
        name=PYTHON,
        entrypoint="python",
        args=["serving/weights.py", "--out", "weights"],
        env=[f"WEIGHTS={WEIGHTS}"],
    )
    return CloudbuildTriggerBuild(
        step=[fetch, _docker("serving/Dockerfile")],
        images=[IMAGE],
        tags=tags,
        timeout=f"{build.timeout_s}s",  # Cloud Build's own default, 600 s, is not enough for 20 GB
        options=_options(machine_type=build.machine_type, disk_size_gb=build.disk_gb),
    )


def ui_build(*, tags: list[str]) -> CloudbuildTriggerBuild:
    return CloudbuildTriggerBuild(
        step=[_docker("ui/Dockerfile")], images=[IMAGE], tags=tags, timeout=f"{UI_TIMEOUT_S}s", options=_options()
    )


def training_build(build: Build, *, tags: list[str]) -> CloudbuildTriggerBuild:
    """The training image, told which commit it is of."""
    docker = _docker("training/Dockerfile", build_args=[f"GIT_SHA={GIT_SHA}"])
    return CloudbuildTriggerBuild(
        step=[docker],
        images=[IMAGE],
        tags=tags,
        timeout=f"{build.timeout_s}s",
        options=_options(machine_type=build.machine_type, disk_size_gb=build.disk_gb),
    )


def _docker(dockerfile: str, *, build_args: Sequence[str] = ()) -> CloudbuildTriggerBuildStep:
    return CloudbuildTriggerBuildStep(
        id="image",
        name=DOCKER,
        args=["build", "-t", IMAGE, "-f", dockerfile, *(f"--build-arg={one}" for one in build_args), "."],
        env=["DOCKER_BUILDKIT=1"],  # only BuildKit reads the Dockerfile's own .dockerignore
    )


def _options(*, machine_type: str | None = None, disk_size_gb: int | None = None) -> CloudbuildTriggerBuildOptions:
    return CloudbuildTriggerBuildOptions(
        machine_type=machine_type,
        disk_size_gb=disk_size_gb,
        logging="CLOUD_LOGGING_ONLY",  # a build under its own service account must say where its log goes
        requested_verify_option="VERIFIED",  # signed provenance for what `images` lists
    )


def source_to_build(
    scope: Construct, *, config: DeploymentConfig, apis: list[ProjectService]
) -> CloudbuildTriggerSourceToBuild:
    """The repository: through a second-generation connection when the deployment names one."""
    source = config.source
    if source.connection is None:
        return CloudbuildTriggerSourceToBuild(uri=source.repository_uri, ref=source.ref, repo_type="GITHUB")
    github = Cloudbuildv2Connection(
        scope,
        "github",
        name=f"{config.prefix}-github",
        location=config.google.region,
        github_config=Cloudbuildv2ConnectionGithubConfig(
            app_installation_id=source.connection.app_installation_id,
            authorizer_credential=Cloudbuildv2ConnectionGithubConfigAuthorizerCredential(
                oauth_token_secret_version=source.connection.oauth_token_secret_version
            ),
        ),
        depends_on=apis,
    )
    repository = Cloudbuildv2Repository(
        scope,
        "repository",
        name=f"{config.prefix}-source",
        location=config.google.region,
        parent_connection=github.name,
        remote_uri=source.repository_uri,
    )
    return CloudbuildTriggerSourceToBuild(repository=repository.id, ref=source.ref, repo_type="GITHUB")
