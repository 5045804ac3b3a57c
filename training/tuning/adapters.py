"""Low-rank adapters (LoRA) in place of tuning every weight, and their merging. Knows no data.

Source: Hu et al. 2021 (arXiv:2106.09685).
"""

from __future__ import annotations

from typing import Any

from peft import LoraConfig as PeftConfig
from peft import PeftModel, TaskType, get_peft_model

from training.config.reading import BadConfig
from training.config.task import LoraConfig


def with_adapters(model: Any, config: LoraConfig) -> Any:
    """The model with small matrices beside the named layers; they alone learn. Raises `BadConfig`."""
    settings = PeftConfig(
        task_type=TaskType.SEQ_2_SEQ_LM,
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.modules),
    )
    try:
        return get_peft_model(model, settings)
    except ValueError as error:
        raise BadConfig(f"lora.modules {list(config.modules)}: {error}") from error


def plain(model: Any) -> Any:
    """The model itself, adapters inside."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def merged(model: Any) -> Any:
    """The plain model, the adapters' products added to its weights."""
    return model.merge_and_unload() if isinstance(model, PeftModel) else model


def num_parameters(model: Any) -> int:
    return sum(map(_num_elements, model.parameters()))


def num_trainable(model: Any) -> int:
    return sum(_num_elements(weight) for weight in model.parameters() if weight.requires_grad)


def _num_elements(weight: Any) -> int:
    """Of the whole weight: one that ZeRO-3 has divided holds nothing between its uses."""
    return int(getattr(weight, "ds_numel", weight.numel()))
