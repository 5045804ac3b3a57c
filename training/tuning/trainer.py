"""transformers' Seq2SeqTrainer, set up from a task's settings. Knows no file but the run's checkpoints.

What a well-kept library does is left to it: the loop, the optimiser, distribution, checkpoints, resuming.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.tensorboard import SummaryWriter
from transformers import (
    EvalPrediction,
    GenerationConfig,
    PrinterCallback,
    ProgressCallback,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
)
from transformers.integrations import TensorBoardCallback

from training.config.task import OptimizerConfig, TaskConfig
from training.scale.sharding import sharding
from training.scoring.rouge import rouge
from training.tuning.adapters import plain
from training.tuning.encoding import IGNORED, EncodedSets, collator
from training.tuning.interruption import ends_epoch


class CheckpointEvery(TrainerCallback):  # type: ignore[misc]
    """More checkpoints than the one of each epoch; the best is still chosen among the epochs'."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self._steps == 0 and not ends_epoch(state):
            control.should_save = True


class Scores:
    """ROUGE and mean length of generated answers, from token ids."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        outputs, references = self._texts(prediction.predictions), self._texts(prediction.label_ids)
        ids = np.where(prediction.predictions == IGNORED, self._tokenizer.pad_token_id, prediction.predictions)
        num_tokens = [int(np.count_nonzero(row != self._tokenizer.pad_token_id)) for row in ids]
        return {**rouge(outputs, references), "gen_len": round(float(np.mean(num_tokens)), 4)}

    def _texts(self, ids: Any) -> list[str]:
        whole = np.where(ids == IGNORED, self._tokenizer.pad_token_id, ids)
        texts = self._tokenizer.batch_decode(whole, skip_special_tokens=True)
        return [text.strip() for text in texts]


class TokenLoss:
    """Cross entropy per token of the whole update: of every record, accumulated step and process.

    T5's own loss is the mean of one batch, and a mean of such means weighs a token more the shorter its neighbours are:
    two processes would not train the model that one does.
    """

    def __init__(self, label_smoothing: float) -> None:
        self._label_smoothing = label_smoothing

    def __call__(self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        """num_items_in_batch: labels that count, in the whole update; None in an evaluation."""
        total = F.cross_entropy(
            outputs["logits"].flatten(0, 1).float(),
            labels.flatten(),
            ignore_index=IGNORED,
            label_smoothing=self._label_smoothing,
            reduction="sum",
        )
        return total / ((labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch)


class Tuner(Seq2SeqTrainer):  # type: ignore[misc]
    """Seq2SeqTrainer, save that records which fill up the last batch of several processes are not scored twice."""

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        self.gather_function = self.accelerator.gather_for_metrics
        return super().evaluation_loop(*arguments, **options)


def generation_config(model: Any, config: TaskConfig, *, target_length: int) -> GenerationConfig:
    """How answers are generated, in the evaluation and by whoever loads the folder."""
    base = model.generation_config
    return GenerationConfig(
        decoder_start_token_id=base.decoder_start_token_id or model.config.decoder_start_token_id or 0,
        eos_token_id=base.eos_token_id or model.config.eos_token_id,
        pad_token_id=base.pad_token_id if base.pad_token_id is not None else model.config.pad_token_id,
        max_new_tokens=config.generation.max_new_tokens or target_length,
        num_beams=config.generation.beams,
        do_sample=False,
    )


def uses_bf16(config: OptimizerConfig) -> bool:
    if config.precision == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return config.precision == "bf16"


def arguments(config: TaskConfig, folder: Path) -> Seq2SeqTrainingArguments:
    """folder: of the checkpoints. Raises `BadConfig` where the machine lacks what the strategy needs.

    With ZeRO-3 a model must be loaded while these exist: then each process loads its share alone.
    """
    tune = config.optimizer
    return Seq2SeqTrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=tune.batch,
        per_device_eval_batch_size=config.generation.batch,
        gradient_accumulation_steps=tune.accumulation,
        **sharding(config, is_bf16=uses_bf16(tune)),
        num_train_epochs=tune.epochs,
        max_steps=tune.max_steps or -1,
        learning_rate=tune.learning_rate,
        lr_scheduler_type=tune.schedule,
        warmup_steps=tune.warmup,  # below 1 it is a share
        weight_decay=tune.weight_decay,
        max_grad_norm=tune.max_gradient,
        bf16=uses_bf16(tune),
        seed=tune.seed,
        data_seed=tune.seed,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=tune.keep,
        load_best_model_at_end=True,
        metric_for_best_model=tune.best,
        greater_is_better=True,
        predict_with_generate=True,
        logging_steps=tune.log_every,
        report_to="none",  # TensorBoard's callback is added by hand, with the folder that it shall use
        disable_tqdm=True,  # `progress` shows a bar instead
        log_level="error",
        log_level_replica="error",
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
    )


def make_trainer(
    config: TaskConfig,
    settings: Seq2SeqTrainingArguments,
    model: Any,
    tokenizer: Any,
    data: EncodedSets,
    *,
    logs: Path,
) -> Seq2SeqTrainer:
    """settings: of `arguments`. logs: of TensorBoard's events. Callbacks of the run are added by the caller."""
    generation = generation_config(model, config, target_length=data.lengths.target)
    settings.generation_config = generation
    plain(model).generation_config = generation  # the trainer sets it on the wrapper alone, which does not ask it
    made = Tuner(
        model=model,
        args=settings,
        train_dataset=data.train,
        eval_dataset=data.validation,
        data_collator=collator(tokenizer, model),
        processing_class=tokenizer,
        compute_loss_func=TokenLoss(config.optimizer.label_smoothing),
        compute_metrics=Scores(tokenizer),
    )
    made.remove_callback(PrinterCallback)
    made.remove_callback(ProgressCallback)
    if made.is_world_process_zero():
        made.add_callback(TensorBoardCallback(SummaryWriter(log_dir=str(logs))))
    if config.optimizer.checkpoint_every is not None:
        made.add_callback(CheckpointEvery(config.optimizer.checkpoint_every))
    return made
