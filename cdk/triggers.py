"""Cloud Build triggers: the builds that make the images, declared once and run by the provider.

`$_IMAGE` and `$_TAG` are given by whoever runs the build; the weights' manifest is the trigger's own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from constructs import Construct

from cdk.config import DeploymentConfig, Weights

from cdktf_cdktf_provider_google.cloudbuild_trigger import (  # isort: skip
    CloudbuildTrigger,
    CloudbuildTriggerBuild,
    CloudbuildTriggerBuildOptions,
    CloudbuildTriggerBuildStep,
    CloudbuildTriggerSourceToBuild,
)
from cdktf_cdktf_provider_google.cloudbuildv2_connection import (  # isort: skip
    Cloudbuildv2Connection,
    Cloudbuildv2ConnectionGithubConfig,
    Cloudbuildv2ConnectionGithubConfigAuthorizerCredential,
)
from cdktf_cdktf_provider_google.cloudbuildv2_repository import Cloudbuildv2Repository  # isort: skip

if TYPE_CHECKING:
    from cdk.stacks.registry import RegistryStack

SERVING_IMAGE, UI_IMAGE = "flan-t5-serving", "flan-ui"
UI_TIMEOUT_S = 1200
MAX_SUBSTITUTION = 4000
DOCKER = "gcr.io/cloud-builders/docker"
PYTHON = "python:3.11-slim"


class ManifestTooLong(Exception):
    """The weights' manifest does not fit a Cloud Build substitution."""


def weights_manifest(weights: Weights) -> str:
    """The manifest as `serving/weights.py` reads it: compact JSON. ManifestTooLong above 4,000 characters."""
    text = json.dumps({"source": weights.source, "files": weights.files}, separators=(",", ":"), sort_keys=True)
    if len(text) > MAX_SUBSTITUTION:
        raise ManifestTooLong(
            f"model.weights is {len(text)} characters as a build substitution; Cloud Build allows {MAX_SUBSTITUTION}. "
            "List fewer files: weights, config and tokenizer are enough."
        )
    return text


def connected_repository(scope: Construct, config: DeploymentConfig) -> Cloudbuildv2Repository | None:
    """The second-generation repository, when the deployment names a connection."""
    connection = config.source.connection
    if connection is None:
        return None
    github = Cloudbuildv2Connection(
        scope,
        "github",
        name=f"{config.prefix}-github",
        location=config.google.region,
        github_config=Cloudbuildv2ConnectionGithubConfig(
            app_installation_id=connection.app_installation_id,
            authorizer_credential=Cloudbuildv2ConnectionGithubConfigAuthorizerCredential(
                oauth_token_secret_version=connection.oauth_token_secret_version
            ),
        ),
    )
    return Cloudbuildv2Repository(
        scope,
        "repository",
        name=f"{config.prefix}-source",
        location=config.google.region,
        parent_connection=github.name,
        remote_uri=config.source.repository_uri,
    )


class ImageTrigger(Construct):
    """A trigger that is run by hand or by the provider. `name`: its full name."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        config: DeploymentConfig,
        registry: RegistryStack,
        repository: Cloudbuildv2Repository | None,
        image: str,
        build: CloudbuildTriggerBuild,
        substitutions: dict[str, str],
    ) -> None:
        super().__init__(scope, id_)
        self._google = google = config.google
        self.image = f"{registry.image_prefix}/{image}"
        self.trigger = CloudbuildTrigger(
            self,
            "trigger",
            name=f"{config.prefix}-{id_}",
            location=google.region,
            description=f"Builds {image}; run by Terraform, once per content.",
            service_account=registry.identities.accounts["build"].name,
            source_to_build=_source(config, repository),
            build_attribute=build,
            substitutions={"_IMAGE": self.image, "_TAG": "manual", **substitutions},
        )

    @property
    def name(self) -> str:
        return f"projects/{self._google.project}/locations/{self._google.region}/triggers/{self.trigger.trigger_id}"

    @classmethod
    def serving(
        cls,
        registry: RegistryStack,
        *,
        config: DeploymentConfig,
        repository: Cloudbuildv2Repository | None,
    ) -> ImageTrigger:
        """Fetches and checks the weights, then builds the image around them."""
        fetch = CloudbuildTriggerBuildStep(
            id="weights",
            name=PYTHON,
            entrypoint="python",
            args=["serving/weights.py", "--out", "weights"],
            env=["WEIGHTS=$_WEIGHTS"],
        )
        build = CloudbuildTriggerBuild(
            step=[fetch, _docker("serving/Dockerfile")],
            images=["$_IMAGE:$_TAG"],
            timeout=f"{config.build.timeout_s}s",  # Cloud Build's own default, 600 s, is not enough for 20 GB
            options=_options(config.build.machine_type, config.build.disk_gb),
        )
        weights = {"_WEIGHTS": weights_manifest(config.model.weights)}
        return cls(
            registry,
            "serving-image",
            config=config,
            registry=registry,
            repository=repository,
            image=SERVING_IMAGE,
            build=build,
            substitutions=weights,
        )

    @classmethod
    def ui(
        cls,
        registry: RegistryStack,
        *,
        config: DeploymentConfig,
        repository: Cloudbuildv2Repository | None,
    ) -> ImageTrigger:
        build = CloudbuildTriggerBuild(
            step=[_docker("ui/Dockerfile")],
            images=["$_IMAGE:$_TAG"],
            timeout=f"{UI_TIMEOUT_S}s",
            options=_options(None, None),
        )
        return cls(
            registry,
            "ui-image",
            config=config,
            registry=registry,
            repository=repository,
            image=UI_IMAGE,
            build=build,
            substitutions={},
        )


def _docker(dockerfile: str) -> CloudbuildTriggerBuildStep:
    return CloudbuildTriggerBuildStep(
        id="image", name=DOCKER, args=["build", "-t", "$_IMAGE:$_TAG", "-f", dockerfile, "."]
    )


def _options(machine_type: str | None, disk_gb: int | None) -> CloudbuildTriggerBuildOptions:
    """logging: a build under an own service account must say where its log goes."""
    return CloudbuildTriggerBuildOptions(
        machine_type=machine_type,
        disk_size_gb=disk_gb,
        logging="CLOUD_LOGGING_ONLY",
        requested_verify_option="VERIFIED",
    )


def _source(config: DeploymentConfig, repository: Cloudbuildv2Repository | None) -> CloudbuildTriggerSourceToBuild:
    if repository is not None:
        return CloudbuildTriggerSourceToBuild(repository=repository.id, ref=config.source.ref, repo_type="UNKNOWN")
    return CloudbuildTriggerSourceToBuild(uri=config.source.repository_uri, ref=config.source.ref, repo_type="GITHUB")
