"""Stack `model`: the serving image, built once per content, and the Vertex AI model that refers to its digest."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from cdk.config import DeploymentConfig
from cdk.images import Images
from cdk.naming import TAG_LENGTH
from cdk.stacks.deployment import DeploymentStack
from cdk.stacks.registry import RegistryStack
from cdk.training import metric_label
from cdk.vertex import VertexImageBuild, VertexModel

# The server's words for the checkpoint's number formats.
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
# A container opens its port at once and loads weights behind it, so the probe asks often and waits long.
HEALTH_PERIOD_S, HEALTH_TIMEOUT_S = 10, 5


class ModelStack(DeploymentStack):
    """`model`, for the endpoint that deploys its newest version."""

    def __init__(
        self, scope: Construct, id_: str, *, config: DeploymentConfig, registry: RegistryStack, images: Images
    ) -> None:
        super().__init__(scope, id_, config=config)
        source = images.serving
        self.image = VertexImageBuild(
            self,
            "image",
            image=registry.serving_trigger.image,
            content_hash=source.content_hash,
            trigger=registry.serving_trigger.name,
            timeout=f"{config.build.timeout_s + 600}s",  # the build's own time-out, and its time in the queue
            substitutions=images.serving_values,
            **images.delivery(source, bucket=registry.staging.name),
        )
        for hint in images.hints():
            self.warn(hint)
        self.model = VertexModel(
            self,
            "model",
            location=config.google.region,
            model_id=config.model.id,
            display_name=config.model.display_name,
            description=config.model.description or None,
            labels={**config.all_labels, "content": source.content_hash[:TAG_LENGTH]},
            version_aliases=config.model.version_aliases or None,
            container_spec=container_spec(config, self.image.image_uri),
            version_labels={name: metric_label(value) for name, value in config.model.metrics.items()},
        )
        self.output("image_uri", self.image.image_uri, "The serving image, by digest.")
        self.output("model_name", self.model.name, "The model.")
        self.output("model_version", self.model.version_id, "Its newest version.")


def container_spec(config: DeploymentConfig, image_uri: str) -> dict[str, Any]:
    """How a version of the model is served, whatever its weights."""
    serving = config.serving
    env = {
        "DTYPE": DTYPES[config.model.dtype],
        "MODEL_NAME": config.model.display_name,
        "REQUEST_TIMEOUT_S": str(config.endpoint.request_timeout_s),
        # dedicated is what the server takes it for; the limits of a shared one are narrower
        **({} if config.endpoint.dedicated else {"VERTEX_ENDPOINT_TYPE": "shared"}),
        **serving.env,
    }
    spec: dict[str, Any] = {
        "image_uri": image_uri,
        "ports": [serving.port],
        "predict_route": serving.predict_route,
        "health_route": serving.health_route,
        "deployment_timeout": f"{serving.deployment_timeout_s}s",
        "env": [{"name": name, "value": value} for name, value in sorted(env.items())],
        "health_probe": [
            {
                "period_seconds": HEALTH_PERIOD_S,
                "timeout_seconds": HEALTH_TIMEOUT_S,
                "http_get": [{"path": serving.health_route, "port": serving.port}],
            }
        ],
    }
    if serving.shared_memory_mb:
        spec["shared_memory_size_mb"] = serving.shared_memory_mb
    return spec
