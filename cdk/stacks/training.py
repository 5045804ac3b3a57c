"""Stack `training`: a fine-tuning on Vertex AI Training, and the model versions that come of it.

Bucket, TensorBoard, identity, image, job, model. What a job costs ends with the job; the bucket's files stay. Like
`registry` it makes an identity and grants roles, so a person applies it first; later runs need no grants.
"""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_google.storage_bucket import StorageBucket
from cdktf_cdktf_provider_google.vertex_ai_tensorboard import VertexAiTensorboard
from constructs import Construct

from cdk.config import DeploymentConfig
from cdk.fields import seconds
from cdk.images import Images
from cdk.naming import TAG_LENGTH, TRAINING_IMAGE, bucket_name, tuned_model_id
from cdk.stacks.deployment import DeploymentStack
from cdk.stacks.model import ModelStack, container_spec
from cdk.stacks.registry import RegistryStack
from cdk.training_identity import TrainingIdentity
from cdk.triggers import ImageTrigger, training_build
from cdk.vertex import VertexCustomJob, VertexImageBuild, VertexModel

RUNS = "runs"
LAUNCH = ("python", "-m", "training", "launch")  # one process per GPU; the image's own command is one process
# Waiting for a machine is no part of the job's own time: spot A100s can take most of a day.
QUEUE_S = 24 * 3600


class TrainingStack(DeploymentStack):
    """`tuned`: the model whose newest version wants to be promoted."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        config: DeploymentConfig,
        registry: RegistryStack,
        model: ModelStack,
        images: Images,
    ) -> None:
        super().__init__(scope, id_, config=config)
        self._registry, self._images = registry, images
        self.bucket = StorageBucket(
            self,
            "bucket",
            name=bucket_name(config, "training"),
            location=config.google.region,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            force_destroy=not config.training.keep_files,
        )
        self.tensorboard = VertexAiTensorboard(
            self,
            "tensorboard",
            display_name=f"{config.prefix}-training",
            description="Losses and ROUGE of every fine-tuning.",
            region=config.google.region,
        )
        self.identity = TrainingIdentity(self, "identity", config=config, bucket=self.bucket, registry=registry)
        self.image = self._image()
        self.job = self._job()
        self.tuned = VertexModel(
            self,
            "tuned",
            location=config.google.region,
            model_id=tuned_model_id(config),
            display_name=f"{config.model.display_name}-tuned",
            description=f"{config.model.display_name}, fine-tuned: {config.training.task}.",
            labels=config.all_labels,
            container_spec=container_spec(config, model.image.image_uri),
            artifact_uri=self.job.output_uri,
            version_labels=self.job.metric_labels,
        )
        self.output("training_job", self.job.get_string_attribute("name"), "The training job.")
        self.output("model_folder", self.job.output_uri, "Where the tuned model's files are.")
        self.output("metrics", self.job.metric_labels, "What its evaluation found.")
        self.output("model_version", self.tuned.version_name, "The version that came of it.")
        self.output("tensorboard_name", self.tensorboard.id, "The TensorBoard of all jobs.")

    def _image(self) -> VertexImageBuild:
        registry, source = self._registry, self._images.training
        trigger = ImageTrigger(
            self,
            "training-image",
            config=self.config,
            image=f"{registry.image_prefix}/{TRAINING_IMAGE}",
            account=registry.identities.accounts["build"],
            source=registry.source,
            build=training_build(self.config.build, tags=self.config.build_tags),
            apis=[],
            substitutions={"_GIT_SHA": "unknown"},
        )
        return VertexImageBuild(
            self,
            "image",
            image=trigger.image,
            content_hash=source.content_hash,
            trigger=trigger.name,
            timeout=f"{self.config.build.timeout_s + 600}s",
            substitutions={"_GIT_SHA": self._images.commit},
            **self._images.delivery(source, bucket=registry.staging.name),
        )

    def _job(self) -> VertexCustomJob:
        training, content = self.config.training, self._images.training.content_hash
        scheduling: dict[str, Any] = {"timeout": training.timeout, "restart_job_on_worker_restart": True}
        if training.spot:
            scheduling["strategy"] = "SPOT"
        return VertexCustomJob(
            self,
            "job",
            display_name=f"{self.config.prefix}-{training.task}",
            worker_pools=[self._worker_pool()],
            base_output_directory=f"gs://{self.bucket.name}/{RUNS}/{training.run_id(content)}",
            service_account=self.identity.email,
            tensorboard=self.tensorboard.id,
            labels={**self.config.all_labels, "content": content[:TAG_LENGTH]},
            run_key=training.run or None,
            scheduling=scheduling,
            timeout=f"{seconds(training.timeout) + QUEUE_S}s",
        )

    def _worker_pool(self) -> dict[str, Any]:
        training = self.config.training
        machine: dict[str, Any] = {"machine_type": training.machine_type}
        if training.accelerator_type:
            machine |= {"accelerator_type": training.accelerator_type, "accelerator_count": training.accelerator_count}
        env = {**training.env, "TRAINING_CONFIG": training.job_config}
        container: dict[str, Any] = {
            "image_uri": self.image.image_uri,
            "env": [{"name": name, "value": value} for name, value in sorted(env.items())],
        }
        if training.command:
            container["command"] = list(training.command)
        elif training.accelerator_count > 1:
            container["command"] = list(LAUNCH)
        return {
            "machine_spec": [machine],
            "container_spec": [container],
            "disk_spec": [{"boot_disk_type": "pd-ssd", "boot_disk_size_gb": training.boot_disk_gb}],
        }
