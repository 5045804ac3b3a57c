"""What a training needs of a GPU's memory, and how long it takes there: computed from the settings, not measured.

N all weights, T those that are trained, G GPUs, B records and S, D tokens of prompt and answer on one GPU. In bytes:

    ddp     weights 4 N, gradients 4 T, Adam's two moments 8 T; in bf16 also 2 T for the copies that products use,
            and with LoRA the frozen weights are kept in bf16: 2 N
    zero3   (2 N + 2 T + 12 T) / G: weights and gradients in bf16, moments and a master copy in fp32, all in G parts;
            offload leaves 0 of these on the GPU and takes 16 N / G of the machine's memory for each of its GPUs
    fsdp    (4 N + 4 T + 8 T) / G: all in fp32, in G parts
            both gather the layer in use and the next: 2 layers in 2 bytes, and with their gradients as much again
    activations
            what the backward pass needs of each layer, counted in `_layer`; with gradient checkpointing each layer
            keeps its input alone, and one layer at a time the rest
    scores  2 + 4 + 4 bytes of B D V: logits in bf16, in fp32 for the loss, and their gradient
    headroom a tenth of it all, for the allocator's gaps and libraries' workspaces

Time: 6 operations per weight and token (8 where activations are computed twice; 4 and 6 with LoRA, which has no
gradient of frozen weights), at a third of the GPU's bf16 peak; the encoder's weights see S tokens, the decoder's D.
Sources: Rajbhandari et al. 2020 (arXiv:1910.02054); Korthikanti et al. 2022 (arXiv:2205.05198), section 4; Kaplan et
al. 2020 (arXiv:2001.08361), section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.config.reading import BadConfig
from training.config.task import TaskConfig
from training.scale.machines import Machine, machine_of
from training.scale.sizes import Size, size_of

HEADROOM = 0.1
UTILISATION = 1 / 3
# Where lengths are measured: the longest that T5 was trained with, and a summary's.
TYPICAL_SOURCE, TYPICAL_TARGET = 512, 128
GB, GIB = 1e9, 1024**3
WAYS_OUT = (
    "take a larger scale.machine_type, scale.strategy zero3 or fsdp over more GPUs, a smaller optimizer.batch with "
    "more optimizer.accumulation, optimizer.gradient_checkpointing, lora.enabled, or shorter prompt.source_length and "
    "target_length; scale.check_memory=false tries it all the same"
)


@dataclass(frozen=True)
class Need:
    """Bytes on each GPU, by what they are for. host: of the machine's memory. flops: for one record."""

    states: float
    activations: float
    scores: float
    gathered: float
    host: float
    flops: float

    @property
    def total(self) -> float:
        return (self.states + self.activations + self.scores + self.gathered) * (1 + HEADROOM)


@dataclass(frozen=True)
class Verdict:
    """Whether a training fits a machine. hours: of one epoch over 14,732 records, SAMSum's; None where it does not."""

    need: Need
    problem: str = ""
    hours: float | None = None


NUM_SAMSUM = 14_732


def need(config: TaskConfig, size: Size, *, num_gpus: int) -> Need:
    """num_gpus: of all machines together."""
    all_, trained = size.num_parameters, size.num_parameters
    is_bf16 = config.optimizer.precision != "fp32"
    if config.lora.enabled:
        trained = size.num_adapters(config.lora.rank, len(config.lora.modules))
    source, target = _tokens(config)
    gathered = 0.0
    host = 0.0
    match config.scale.strategy:
        case "zero3":
            states = (2 * all_ + 14 * trained) / num_gpus
            gathered = 2 * 2 * 2 * size.num_decoder_layer
            if config.scale.offload:
                host, states = 16 * all_ / num_gpus, 0.0
        case "fsdp":
            states = 16 * all_ / num_gpus
            gathered = 2 * 2 * 2 * size.num_decoder_layer
        case _:
            frozen = all_ - trained if config.lora.enabled else 0
            states = (2 if is_bf16 else 4) * frozen + (18 if is_bf16 else 16) * trained
    batch = config.optimizer.batch
    return Need(
        states=states,
        activations=batch * activations(config, size, source=source, target=target),
        scores=batch * target * size.vocab_size * (10 if is_bf16 else 8),
        gathered=gathered,
        host=host,
        flops=flops(config, size, source=source, target=target),
    )


def activations(config: TaskConfig, size: Size, *, source: int, target: int) -> float:
    """Bytes for one record."""
    width = 2 if config.optimizer.precision != "fp32" else 4
    encoder = _layer(size, tokens=source, keys=[source], width=width)
    decoder = _layer(size, tokens=target, keys=[target, source], width=width)
    if not config.optimizer.gradient_checkpointing:
        return size.num_layers * (encoder + decoder)
    inputs = size.num_layers * (source + target) * size.d_model * 4
    return inputs + max(encoder, decoder)


def _layer(size: Size, *, tokens: int, keys: list[int], width: int) -> float:
    """Bytes that one layer keeps for its backward pass. keys: tokens that each of its attentions looks at.

    Per attention: input and normed input in fp32 with the norm's statistics, normed input for the products, query and
    what attention gives, keys and values; scores before and after the softmax in fp32, after dropout, with its mask.
    Feed-forward: the same of the norm; both halves of the gate, the activation and its inner value, their product,
    after dropout, and the mask.
    """
    norm = tokens * size.d_model * (4 + 4 + width)
    total = 0.0
    for seen in keys:
        total += norm + (2 * tokens + 2 * seen) * size.d_attention * width
        total += size.num_heads * tokens * seen * (4 + 2 * width + 1)
        total += tokens * size.d_model * 1  # dropout's mask
    total += norm + tokens * size.d_ff * (6 * width + 1) + tokens * size.d_model * 1
    return total


def flops(config: TaskConfig, size: Size, *, source: int, target: int) -> float:
    """Floating-point operations for one record: forward 2, backward 4 per weight and token."""
    per_weight = (4 if config.lora.enabled else 6) + (2 if config.optimizer.gradient_checkpointing else 0)
    encoder = size.num_layers * size.num_encoder_layer * source
    cross = size.num_layers * size.num_attention // 2 * (source - target)  # keys and values of the prompt
    decoder = (size.num_layers * size.num_decoder_layer + size.vocab_size * size.d_model) * target
    return per_weight * (encoder + cross + decoder)


def verdict(config: TaskConfig, *, base: str | None = None, machine_type: str | None = None) -> Verdict:
    """Of the task as it is, or with another model or machine. Raises `BadConfig` for what is not known."""
    machine = machine_of(machine_type or config.scale.machine_type)
    num_gpus = machine.num_gpus * config.scale.replicas
    wanted = need(config, size_of(base or config.model.base), num_gpus=num_gpus)
    problem = _problem(wanted, machine, machine_type or config.scale.machine_type)
    if problem:
        return Verdict(wanted, problem)
    speed = machine.gpu.tflops * 1e12 * UTILISATION * num_gpus
    return Verdict(wanted, hours=wanted.flops * NUM_SAMSUM / speed / 3600)


def require_room(config: TaskConfig) -> None:
    """Raises `BadConfig` when the task does not fit its machines."""
    found = verdict(config)
    if found.problem and config.scale.check_memory:
        raise BadConfig(f"{config.model.base} by {config.scale.strategy} does not fit: {found.problem}; {WAYS_OUT}")


def _problem(wanted: Need, machine: Machine, name: str) -> str:
    if wanted.total > machine.gpu.memory_gib * GIB:
        return f"{wanted.total / GIB:.1f} GiB on each GPU, and a {machine.gpu.accelerator} has {machine.gpu.memory_gib}"
    if wanted.host * machine.num_gpus > 0.9 * machine.memory_gb * GB:
        taken = wanted.host * machine.num_gpus / GB
        return f"{taken:.0f} GB of the machine's memory, and {name} has {machine.memory_gb}, a tenth of it for the rest"
    return ""


def _tokens(config: TaskConfig) -> tuple[int, int]:
    """Tokens of prompt and answer. What is to be measured is not known before the data is read: then T5's limit."""
    source, target = config.prompt.source_length, config.prompt.target_length
    most = config.prompt.limit
    return (
        min(source if isinstance(source, int) else TYPICAL_SOURCE, most),
        min(target if isinstance(target, int) else TYPICAL_TARGET, most),
    )
