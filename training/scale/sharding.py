"""The settings that tell transformers how to divide a model among GPUs: DeepSpeed ZeRO-3, PyTorch FSDP, or not at all.

Sources: Rajbhandari et al. 2020 (ZeRO, arXiv:1910.02054); DeepSpeed's configuration JSON; transformers' guide to FSDP.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import MutableMapping
from typing import Any

import torch
from accelerate import PartialState

from training.config.reading import BadConfig
from training.config.task import TaskConfig

LAYER = "T5Block"


def processes(config: TaskConfig, *, environment: MutableMapping[str, str] = os.environ) -> PartialState:
    """Those of the training, joined with each other. Raises `BadConfig`.

    DeepSpeed has to join them itself, or a model that is loaded in parts would not know how many there are.
    """
    if config.scale.strategy == "zero3":
        if importlib.util.find_spec("deepspeed") is None:
            raise BadConfig("scale.strategy zero3 needs the package deepspeed, which is not installed; use fsdp")
        if "RANK" not in environment:
            raise BadConfig("scale.strategy zero3 needs processes that know each other: `python -m training launch …`")
        environment["ACCELERATE_USE_DEEPSPEED"] = "true"
    return PartialState()


def sharding(config: TaskConfig, *, is_bf16: bool) -> dict[str, Any]:
    """Arguments for the trainer. Raises `BadConfig`."""
    recompute = config.optimizer.gradient_checkpointing
    match config.scale.strategy:
        case "zero3":
            settings = zero3(is_bf16=is_bf16, is_offloading=config.scale.offload)
            return {"deepspeed": settings, "activation_checkpointing": recompute}
        case "fsdp":
            if not torch.cuda.is_available():
                raise BadConfig("scale.strategy fsdp needs GPUs: without one every process would have the whole model")
            # FSDP recomputes by itself; the trainer's own way would gather the weights twice
            return {"fsdp": True, "fsdp_config": fsdp(is_recomputing=recompute)}
    return {"activation_checkpointing": recompute}


def zero3(*, is_bf16: bool, is_offloading: bool) -> dict[str, Any]:
    """DeepSpeed's JSON: weights, gradients and optimiser states in as many parts as there are GPUs.

    `auto` is what the trainer knows: sizes that follow from d_model, batch, rate, clipping.
    stage3_gather_16bit_weights_on_model_save: the exported folder holds the whole model.
    """
    zero: dict[str, Any] = {
        "stage": 3,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_max_live_parameters": 1_000_000_000,
        "stage3_max_reuse_distance": 1_000_000_000,
        "stage3_gather_16bit_weights_on_model_save": True,
    }
    if is_offloading:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
        zero["offload_param"] = {"device": "cpu", "pin_memory": True}
    return {
        # PyTorch's Adam also where it works in the machine's memory: DeepSpeed's own would be compiled at the start,
        # and the image has neither a compiler nor the CUDA toolkit
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": is_bf16},
        "zero_optimization": zero,
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "wall_clock_breakdown": False,
    }


def fsdp(*, is_recomputing: bool) -> dict[str, Any]:
    """PyTorch's FSDP2, each T5 block gathered when it is its turn."""
    return {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "transformer_layer_cls_to_wrap": [LAYER],
        "reshard_after_forward": True,
        "activation_checkpointing": is_recomputing,
        "state_dict_type": "FULL_STATE_DICT",
    }
