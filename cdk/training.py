"""Fine-tuning: what is learned on which machine, and when what came of it may serve.

The values of a deployment file's `[training]`, what the job is told of them, and the provider's blocks made of them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import Field, model_validator

from cdk.fields import Duration, Frozen, LabelKey

# The label's words for ROUGE-1, -2 and -L of the validation split; `metrics.json` of a job becomes these.
ROUGE = ("eval_rouge1", "eval_rouge2", "eval_rougel")
RUN_DIGITS = 12


class Override(Frozen):
    """A person's word that one version is deployed whatever its metrics. version: of the tuned model, as `3`."""

    version: str = Field(pattern=r"^[1-9]\d*$")
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)


class Promotion(Frozen):
    """What a tuned version must beat the serving one in. on_refusal: `keep` warns and leaves what serves."""

    metrics: tuple[LabelKey, ...] = Field(ROUGE, min_length=1)
    rule: Literal["all_greater", "none_less", "any_greater"] = "all_greater"
    min_gain: float = Field(0.0, ge=0)
    on_refusal: Literal["keep", "fail"] = "keep"
    override: Override | None = None

    def block(self, *, model_id: str) -> dict[str, Any]:
        """`promotion` of `vertex_endpoint_deployed_model`. model_id: whose version an override names."""
        block: dict[str, Any] = {"metrics": list(self.metrics), "rule": self.rule, "on_refusal": self.on_refusal}
        if self.min_gain:
            block["min_gain"] = self.min_gain
        if self.override is not None:
            word = {"by": self.override.by, "reason": self.override.reason}
            block["override"] = [{"model": f"{model_id}@{self.override.version}", **word}]
        return block


class Training(Frozen):
    """One fine-tuning of the model, and its promotion.

    task: a file of training/tasks/. settings: what differs from it, in the same tables. run: any word; another one runs
    the same again. spot: cheaper machines that may be taken away; the job then goes on from its last checkpoint.
    command: in place of the image's own, for more than one process. keep_files: destroy refuses while the bucket has
    any.
    """

    enabled: bool = False
    task: str = Field("summarize-dialogues", min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)
    run: str = ""
    machine_type: str = "a2-highgpu-1g"
    accelerator_type: str | None = "NVIDIA_TESLA_A100"
    accelerator_count: int = Field(1, ge=0, le=16)
    spot: bool = False
    boot_disk_gb: int = Field(200, ge=100, le=64000)
    timeout: Duration = "24h"
    command: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    keep_files: bool = True
    promotion: Promotion = Promotion()

    @model_validator(mode="after")
    def _settings_are_json(self) -> Training:
        if "task" in self.settings:
            raise ValueError('settings: got a "task"; allowed are the tables of a task file: set training.task instead')
        try:
            json.dumps(self.settings, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"settings: got a value that JSON does not have ({error}): no dates, no nan") from None
        return self

    @property
    def job_config(self) -> str:
        """TRAINING_CONFIG of the job: compact JSON, the same for the same settings."""
        return json.dumps({"task": self.task, **self.settings}, separators=(",", ":"), sort_keys=True)

    def run_id(self, content_hash: str) -> str:
        """What tells one run's folder from another's: the code, the settings, and the word for a repetition.

        Not the machine: a job that goes on elsewhere finds its checkpoints.
        """
        parts = json.dumps([content_hash, self.job_config, self.run])
        return hashlib.sha256(parts.encode()).hexdigest()[:RUN_DIGITS]


def metric_label(value: float) -> str:
    """43.1234 -> `43_1234`: labels have no dots."""
    return f"{value:.4f}".replace(".", "_")
