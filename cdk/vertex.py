"""cdktf classes for the provider `vertex`: thin, typed, block for block as its schema has them.

Written by hand because the provider is ours; its own documentation tells what an attribute means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cdktf import TerraformProvider, TerraformProviderGeneratorMetadata, TerraformResource, TerraformResourceLifecycle
from constructs import Construct

from cdk.providers import VERTEX_SOURCE, VERTEX_VERSION

_METADATA = TerraformProviderGeneratorMetadata(provider_name="vertex", provider_version=VERTEX_VERSION)


NOT_SERVING = {
    "condition": '${self.status == "ready"}',
    "error_message": "The deployed model does not serve yet, and what comes up costs money. Apply again: the next "
    "apply goes on with it.",
}


def _set(element: TerraformResource | TerraformProvider, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is not None:
            element.add_override(name, value)


class VertexProvider(TerraformProvider):
    """The provider block."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        project: str,
        region: str,
        api_endpoint: str | None,
        access_token: str | None,
    ) -> None:
        super().__init__(
            scope,
            id_,
            terraform_resource_type="vertex",
            terraform_provider_source=VERTEX_SOURCE,
            terraform_generator_metadata=_METADATA,
        )
        _set(self, {"project": project, "region": region, "api_endpoint": api_endpoint, "access_token": access_token})


class VertexImageBuild(TerraformResource):
    """An image, built once per content. Exactly one of revision and source_archive (with source_bucket)."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        image: str,
        content_hash: str,
        trigger: str,
        revision: str | None = None,
        source_archive: str | None = None,
        source_bucket: str | None = None,
        substitutions: Mapping[str, str] | None = None,
        keep_on_destroy: bool | None = None,
        timeout: str | None = None,
    ) -> None:
        super().__init__(
            scope, id_, terraform_resource_type="vertex_image_build", terraform_generator_metadata=_METADATA
        )
        values: dict[str, Any] = {
            "image": image,
            "content_hash": content_hash,
            "trigger": trigger,
            "revision": revision,
        }
        values |= {"source_archive": source_archive, "source_bucket": source_bucket}
        values |= {"substitutions": dict(substitutions) if substitutions else None}
        _set(self, {**values, "keep_on_destroy": keep_on_destroy})
        _set(self, {"timeouts": {"create": timeout} if timeout else None})

    @property
    def image_uri(self) -> str:
        return str(self.get_string_attribute("image_uri"))


class VertexModel(TerraformResource):
    """A model and its versions. container_spec: as the provider's block, by attribute name.

    location: said here although the provider has one too, so that a change of region is seen by the plan.
    version_labels: of the newest version alone; also another resource's attribute.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        location: str,
        model_id: str,
        display_name: str,
        container_spec: Mapping[str, Any],
        description: str | None = None,
        labels: Mapping[str, str] | None = None,
        version_aliases: Sequence[str] | None = None,
        version_labels: Mapping[str, str] | str | None = None,
        artifact_uri: str | None = None,
    ) -> None:
        super().__init__(scope, id_, terraform_resource_type="vertex_model", terraform_generator_metadata=_METADATA)
        _set(self, {"location": location, "model_id": model_id})
        _set(self, {"display_name": display_name, "description": description})
        _set(self, {"labels": dict(labels) if labels else None})
        _set(self, {"version_aliases": list(version_aliases) if version_aliases else None})
        _set(self, {"container_spec": [dict(container_spec)], "artifact_uri": artifact_uri})
        _set(self, {"version_labels": version_labels or None})

    @property
    def name(self) -> str:
        return str(self.get_string_attribute("name"))

    @property
    def version_id(self) -> str:
        return str(self.get_string_attribute("version_id"))

    @property
    def version_name(self) -> str:
        return str(self.get_string_attribute("version_name"))


class VertexCustomJob(TerraformResource):
    """A training job, run to its end. worker_pools and scheduling: as the provider's blocks, by attribute name."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        display_name: str,
        worker_pools: Sequence[Mapping[str, Any]],
        base_output_directory: str,
        service_account: str | None = None,
        tensorboard: str | None = None,
        labels: Mapping[str, str] | None = None,
        run_key: str | None = None,
        scheduling: Mapping[str, Any] | None = None,
        timeout: str | None = None,
    ) -> None:
        super().__init__(
            scope, id_, terraform_resource_type="vertex_custom_job", terraform_generator_metadata=_METADATA
        )
        values: dict[str, Any] = {"display_name": display_name, "base_output_directory": base_output_directory}
        values |= {"service_account": service_account, "tensorboard": tensorboard, "run_key": run_key}
        values |= {"labels": dict(labels) if labels else None, "worker_pool_specs": [dict(one) for one in worker_pools]}
        _set(self, {**values, "scheduling": [dict(scheduling)] if scheduling else None})
        _set(self, {"timeouts": {"create": timeout} if timeout else None})

    @property
    def output_uri(self) -> str:
        return str(self.get_string_attribute("output_uri"))

    @property
    def metric_labels(self) -> str:
        """A map, by reference."""
        return str(self.get_string_attribute("metric_labels"))


class VertexEndpointDeployedModel(TerraformResource):
    """A model version behind an endpoint; a new one serves before the old one goes.

    rollout: strategy, golden, traffic and the like, as the provider has them. An apply that ends while it is still
    coming up fails, and keeps it.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        endpoint: str,
        model: str,
        dedicated_resources: Mapping[str, Any],
        display_name: str | None = None,
        service_account: str | None = None,
        enable_access_logging: bool | None = None,
        rollout: Mapping[str, Any] | None = None,
        promotion: Mapping[str, Any] | None = None,
        timeout: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            id_,
            terraform_resource_type="vertex_endpoint_deployed_model",
            terraform_generator_metadata=_METADATA,
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        values: dict[str, Any] = {"endpoint": endpoint, "model": model, "display_name": display_name}
        values |= {"service_account": service_account, "enable_access_logging": enable_access_logging}
        _set(self, {**values, "dedicated_resources": [dict(dedicated_resources)], **(rollout or {})})
        _set(self, {"promotion": [dict(promotion)] if promotion else None})
        # A warning alone would let a pipeline go on to a page that has nothing to ask.
        _set(self, {"lifecycle.postcondition": [NOT_SERVING]})
        _set(self, {"timeouts": {"create": timeout} if timeout else None})

    @property
    def predict_url(self) -> str:
        return str(self.get_string_attribute("predict_url"))

    @property
    def promotion_verdict(self) -> str:
        return str(self.get_string_attribute("promotion_verdict"))

    @property
    def deployed_model_id(self) -> str:
        return str(self.get_string_attribute("deployed_model_id"))
