"""What every stack of a deployment begins with: where its state is, and its two providers."""

from __future__ import annotations

import os
from pathlib import Path

import cdktf
from cdktf_cdktf_provider_google.provider import GoogleProvider
from constructs import Construct

from cdk.config import ROOT, DeploymentConfig
from cdk.providers import GOOGLE_SOURCE, GOOGLE_VERSION, VERTEX_SOURCE, VERTEX_VERSION
from cdk.vertex import VertexProvider

# Google's services under one address, as the real provider's arguments want them: ending in a version.
SERVICES_V1 = (
    "artifact_registry",
    "cloud_build",
    "cloud_resource_manager",
    "iam",
    "resource_manager",
    "service_usage",
    "vertex_ai",
)


class DeploymentStack(cdktf.TerraformStack):
    """A stack with its backend and providers. `config` is the deployment it belongs to."""

    def __init__(self, scope: Construct, id_: str, *, config: DeploymentConfig) -> None:
        super().__init__(scope, id_)
        self.config = config
        self._backend(id_)
        google = config.google
        endpoints = custom_endpoints(google.api_endpoint) if google.api_endpoint else {}
        GoogleProvider(
            self,
            "google",
            project=google.project,
            region=google.region,
            access_token=google.access_token,
            default_labels=config.all_labels,
            **endpoints,
        )
        VertexProvider(
            self,
            "vertex",
            project=google.project,
            region=google.region,
            api_endpoint=google.api_endpoint,
            access_token=google.access_token,
        )
        # Terraform's state does not say which versions wrote it; a plan review compares these.
        self.output(
            "provider_versions",
            # One text: of a map, jsii makes Node print a warning.
            f"{GOOGLE_SOURCE} {GOOGLE_VERSION}, {VERTEX_SOURCE} {VERTEX_VERSION}",
            "The providers that this stack was planned with.",
        )

    def _backend(self, id_: str) -> None:
        bucket = self.config.terraform.state_bucket
        if bucket:
            cdktf.GcsBackend(self, bucket=bucket, prefix=f"{self.config.env}/{id_}")
        else:
            # Relative to the stack's folder, where Terraform runs, so that a checkout can be moved.
            state = ROOT / ".flanstack" / "state" / self.config.env / f"{id_}.tfstate"
            folder = Path(cdktf.App.of(self).outdir).resolve() / "stacks" / id_
            cdktf.LocalBackend(self, path=os.path.relpath(state, folder))

    def warn(self, text: str) -> None:
        """Shown by cdktf after synth; nothing stops."""
        cdktf.Annotations.of(self).add_warning(text)

    def output(self, name: str, value: object, description: str) -> None:
        cdktf.TerraformOutput(self, name, value=value, description=description, static_id=True)


def custom_endpoints(address: str) -> dict[str, str]:
    """The provider's `*_custom_endpoint` arguments for one address that serves every API."""
    base = address.rstrip("/")
    endpoints = {f"{service}_custom_endpoint": f"{base}/v1/" for service in SERVICES_V1}
    endpoints["cloudbuildv2_custom_endpoint"] = f"{base}/v2/"
    endpoints["cloud_run_v2_custom_endpoint"] = f"{base}/v2/"
    endpoints["storage_custom_endpoint"] = f"{base}/storage/v1/"
    return endpoints
