"""What one fine-tuning is: every setting, its default and its bounds. Knows no file, no environment, no torch.

The defaults are those of the first Flan-T5 tutorial on SAMSum (epochs 5, rate 5e-5, batch 8, no fp16). Unknown names
are refused, wherever they come from.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

INPUT = "{input}"
LONGEST = "longest"
PERCENTILE = "percentile:"


def _length(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if is_number or value == LONGEST or re.fullmatch(rf"{PERCENTILE}(100|[1-9][0-9]?)", str(value)):
        return value
    raise ValueError("should be a number from 1, `longest`, or `percentile:95`")


Length = Annotated[Any, BeforeValidator(_length)]  # int | str


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(Frozen):
    """What is tuned."""

    base: str = Field(
        default="google/flan-t5-base",
        min_length=1,
        description="id on the Hugging Face hub, folder (also of this repository), or gs:// or s3:// folder",
    )
    revision: str = Field(default="main", min_length=1, description="commit, tag or branch, for an id on the hub")


class DataConfig(Frozen):
    """Which records, and which of their columns."""

    source: str = Field(
        default="knkarthick/samsum",
        min_length=1,
        description="id on the Hugging Face hub; a folder or a file (.jsonl, .json, .csv, .parquet), also in a bucket "
        "(gs://, s3://); or `generated`, this repository's dialogues",
    )
    name: str = Field(default="", description="configuration of a data set on the hub, such as cnn_dailymail's 3.0.0")
    revision: str = Field(default="main", min_length=1, description="commit, tag or branch, for an id on the hub")
    input: str = Field(default="dialogue", min_length=1, description="column that the model reads")
    target: str = Field(default="summary", min_length=1, description="column that the model shall write")
    train: str = Field(default="train", min_length=1, description="name of the split to learn from")
    validation: str = Field(default="validation", min_length=1, description="name of the split that chooses the best")
    test: str = Field(default="test", min_length=1, description="name of the split of the final figures")
    held_out: float = Field(
        default=0.1, gt=0, lt=0.5, description="share of the records for each split that the source does not have"
    )
    max_train: PositiveInt | None = Field(default=None, description="most records to learn from; all when absent")
    max_validation: PositiveInt | None = Field(default=None, description="most records to validate with")
    max_test: PositiveInt | None = Field(default=None, description="most records to test with")


class PromptConfig(Frozen):
    """How a record becomes token ids."""

    template: str = Field(
        default="summarize: {input}",
        description="what the model reads; {input} stands for the record. It travels with the model folder, and the "
        "server applies it",
    )
    source_length: Length = Field(
        default="longest",
        description="most tokens of a prompt: a number, `longest` (as measured over every split), or `percentile:95`",
    )
    target_length: Length = Field(default="longest", description="most tokens of an answer, in the same ways")
    limit: PositiveInt = Field(default=512, description="what a measured length cannot exceed; T5 was trained with 512")

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if self.template.count(INPUT) != 1:
            raise ValueError(f"template must hold {INPUT} exactly once, got {self.template!r}")
        return self


class OptimizerConfig(Frozen):
    """The run of the optimiser."""

    epochs: float = Field(default=5, gt=0)
    max_steps: PositiveInt | None = Field(default=None, description="ends the run early; epochs count when absent")
    batch: PositiveInt = Field(default=8, description="records per device and step")
    accumulation: PositiveInt = Field(default=1, description="steps whose gradients are added up before an update")
    learning_rate: float = Field(default=5e-5, gt=0, le=1)
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    warmup: float = Field(default=0.0, ge=0, lt=1, description="share of the updates over which the rate rises")
    weight_decay: float = Field(default=0.0, ge=0, lt=1)
    max_gradient: float = Field(default=1.0, gt=0, description="norm at which gradients are clipped")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="auto is bf16 where a GPU has it, else fp32; there is no fp16, for T5 overflows in it",
    )
    gradient_checkpointing: bool = Field(
        default=False, description="computes activations twice instead of keeping them: less memory, a third more time"
    )
    seed: int = Field(default=42, ge=0, lt=2**31)
    log_every: PositiveInt = Field(default=500, description="updates between two lines of the log")
    checkpoint_every: PositiveInt | None = Field(
        default=None, description="updates between two checkpoints besides the one of each epoch"
    )
    keep: int = Field(default=2, ge=2, description="checkpoints to keep: the best and the latest, or more")
    best: Literal["rouge1", "rouge2", "rougeL", "rougeLsum"] = Field(
        default="rougeLsum", description="figure of the validation split that chooses the best model"
    )


class GenerationConfig(Frozen):
    """How answers are generated for the figures; goes into the model folder's generation_config.json."""

    max_new_tokens: PositiveInt | None = Field(
        default=None, description="most tokens of an answer; the measured target length when absent"
    )
    beams: int = Field(default=1, ge=1, le=16, description="1 is greedy, which is what the server does by default")
    batch: PositiveInt = Field(default=8, description="records per device when generating")


class LoraConfig(Frozen):
    """Low-rank adapters in place of all weights; merged into the weights when the model is exported."""

    enabled: bool = False
    rank: PositiveInt = 16
    alpha: PositiveInt = 32
    dropout: float = Field(default=0.05, ge=0, lt=1)
    modules: tuple[str, ...] = Field(default=("q", "v"), min_length=1, description="names of the layers that get one")


class ScaleConfig(Frozen):
    """On which machines, and how the work is divided among their GPUs."""

    machine_type: str = Field(default="a2-highgpu-1g", min_length=1, description="of Vertex AI; one process per GPU")
    replicas: PositiveInt = Field(default=1, le=64, description="machines")
    strategy: Literal["ddp", "zero3", "fsdp"] = Field(
        default="ddp",
        description="ddp: every GPU has the whole model; zero3 (DeepSpeed) and fsdp (PyTorch): each has its share",
    )
    offload: bool = Field(default=False, description="zero3: optimiser states and weights in the machine's memory")
    boot_disk_gb: int = Field(default=200, ge=100, le=64_000)
    check_memory: bool = Field(
        default=True, description="refuses what cannot fit by the formulas of training/scale/memory.py"
    )
    spot: bool = Field(default=True, description="cheaper machines that may be taken away; the job goes on by itself")


class TaskConfig(Frozen):
    """One fine-tuning, start to model folder."""

    task: str = Field(default="summarize-dialogues", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="its name")
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    prompt: PromptConfig = PromptConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    generation: GenerationConfig = GenerationConfig()
    lora: LoraConfig = LoraConfig()
    scale: ScaleConfig = ScaleConfig()

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        if self.lora.enabled and self.scale.strategy != "ddp":
            raise ValueError(
                f"scale.strategy must be ddp where lora.enabled is true, got {self.scale.strategy}: adapters are "
                "merged into whole weights, and are small enough for one GPU"
            )
        if self.scale.offload and self.scale.strategy != "zero3":
            raise ValueError(f"scale.offload is of zero3 alone, got strategy {self.scale.strategy}")
        return self
