"""The provider `vertex`: its configuration block, its resource types and its data sources.

Configuring keeps values; the first call of a resource makes the session.
"""

from __future__ import annotations

from collections.abc import Sequence

from provider.api import Api, Settings
from provider.custom_job.resource import CustomJob
from provider.deployed_model.resource import DeployedModel
from provider.endpoint_metrics.data_source import EndpointMetricsData
from provider.image_build.resource import ImageBuild
from provider.model.data_source import ModelData
from provider.model.resource import Model
from provider.progress import past_durations
from tfplugin.data_source import DataSource
from tfplugin.install import Release
from tfplugin.resource import PluginError, Problem, Resource
from tfplugin.schema import STRING, Attribute, Body, Schema
from tfplugin.values import UNKNOWN, State

RELEASE = Release(source="flanstack.local/flanstack/vertex", version="0.1.0", module="provider")

SCHEMA = Schema(
    body=Body(
        description="Builds serving images, uploads Vertex AI models and deploys them to endpoints.",
        attributes=[
            Attribute(name="project", type=STRING, required=True, description="Project id."),
            Attribute(name="region", type=STRING, required=True, description="Region, such as `europe-west4`."),
            Attribute(
                name="api_endpoint",
                type=STRING,
                optional=True,
                description="One address for every Google API, such as `http://127.0.0.1:8700`; default Google's own.",
            ),
            Attribute(
                name="access_token",
                type=STRING,
                optional=True,
                sensitive=True,
                description="Used instead of application default credentials.",
            ),
        ],
    )
)


class VertexProvider:
    """The provider. Terraform configures it once per run, before any resource is touched."""

    schema = SCHEMA

    def __init__(self) -> None:
        self._api = Api(Settings(project="", region=""))

    def resources(self) -> Sequence[Resource]:
        return [ImageBuild(self._api), Model(self._api), DeployedModel(self._api), CustomJob(self._api)]

    def data_sources(self) -> Sequence[DataSource]:
        return [ModelData(self._api), EndpointMetricsData(self._api)]

    def validate(self, config: State) -> Sequence[Problem]:
        endpoint = config["api_endpoint"]
        if isinstance(endpoint, str) and not endpoint.startswith(("http://", "https://")):
            text = f"Got {endpoint!r}; allowed is an address with its scheme, such as http://127.0.0.1:8700."
            return [Problem("api_endpoint is no address", text, ("api_endpoint",))]
        return []

    def configure(self, config: State) -> None:
        if any(value is UNKNOWN for value in config.values()):
            raise PluginError("The provider's configuration is not known yet", "Give it values that are known at plan.")
        self._api.settings = Settings(**config)
        past_durations.measure_at(self._api.settings.api_endpoint)
