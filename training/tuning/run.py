"""One fine-tuning from its settings to a delivered model folder. Knows no command line.

Every process of a distributed training runs this; the first of them alone writes folders and buckets.
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import set_seed

from training.buckets.place import BucketFolder, bucket_folder, is_bucket
from training.config.places import Places
from training.config.task import TaskConfig
from training.folder.card import TuningCard
from training.folder.export import complete_folder, deliver
from training.folder.metadata import git_sha
from training.records.record_sets import RecordSets, record_sets
from training.tuning.adapters import merged, num_trainable, with_adapters
from training.tuning.base_model import load_base
from training.tuning.checkpoints import prepare
from training.tuning.encoding import EncodedSets, encode
from training.tuning.evaluation import evaluate
from training.tuning.interruption import StopRequest, StopWithCheckpoint
from training.tuning.progress import Progress
from training.tuning.streaming import StreamToBucket, restore
from training.tuning.trainer import make_trainer, uses_bf16

Tell = Callable[[str], None]
Metrics = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """metrics: what metrics.json holds. model: where the folder went. samples: as in `Evaluation`."""

    metrics: Metrics
    model: str
    samples: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Ground:
    """What a training starts from. num_parameters: without adapters."""

    records: RecordSets
    data: EncodedSets
    model: Any
    tokenizer: Any
    num_parameters: int

    def told(self, task: str) -> str:
        lengths, records = self.data.lengths, self.records
        return (
            f"{task}: {len(records.train)} + {len(records.validation)} + {len(records.test)} records, "
            f"prompts up to {lengths.source} tokens ({lengths.num_cut_sources} cut), "
            f"answers up to {lengths.target} ({lengths.num_cut_targets} cut)"
        )


def fine_tune(config: TaskConfig, places: Places, *, stop: StopRequest, fresh: bool = False, tell: Tell) -> Result:
    """Raises `BadConfig`, `Interrupted` and `BucketFailed`. fresh: forget the checkpoints of an earlier run."""
    started = time.monotonic()
    process = PartialState()
    set_seed(config.optimizer.seed)
    checkpoints, logs = _local_folders(places)
    with process.local_main_process_first():
        ground = _ground(config, places.run)
        resumed = _checkpoint(config, places, checkpoints, fresh=fresh, process=process)
    tell(ground.told(config.task))
    if resumed is not None:
        tell(f"going on from {resumed.name}")
    training = make_trainer(config, ground.model, ground.tokenizer, ground.data, folder=checkpoints, logs=logs)
    with _running(training, stop, places, logs):
        training.train(resume_from_checkpoint=str(resumed) if resumed else None)
        num_trained = num_trainable(training.model)
        if config.lora.enabled:
            training.model = training.model_wrapped = merged(training.model)
        evaluation = evaluate(training, ground.records, ground.data, ground.tokenizer)
    facts = {"task": config.task, "base_model": config.model.base, "git_sha": git_sha()}
    seconds = time.monotonic() - started
    metrics: Metrics = {**evaluation.figures, **facts, "seconds": round(seconds, 1)}
    card = TuningCard(
        config=config,
        origin=ground.records.origin,
        num_records=(len(ground.records.train), len(ground.records.validation), len(ground.records.test)),
        lengths=ground.data.lengths,
        num_parameters=ground.num_parameters,
        num_trained=num_trained,
        evaluation=evaluation,
        git_sha=facts["git_sha"],
        seconds=seconds,
        machine=_machine(process.num_processes),
    )
    _save(training, places.run / "model", process)
    if process.is_main_process:
        complete_folder(places.run / "model", template=config.prompt.template, card=card.text(), metrics=metrics)
        deliver(places.run / "model", places.model)
        if places.own_checkpoints:
            shutil.rmtree(checkpoints)
    process.wait_for_everyone()
    return Result(metrics, places.model, evaluation.samples)


def _local_folders(places: Places) -> tuple[Path, Path]:
    """Where checkpoints and logs are written on this machine."""
    places.run.mkdir(parents=True, exist_ok=True)
    checkpoints = places.run / "checkpoints" if is_bucket(places.checkpoints) else Path(places.checkpoints)
    logs = places.run / "logs" if is_bucket(places.logs) else Path(places.logs)
    return checkpoints, logs


def _ground(config: TaskConfig, run: Path) -> Ground:
    records = record_sets(config.data, seed=config.optimizer.seed, scratch=run)
    # weights that stay as they are need no more than products do
    is_frozen_bf16 = config.lora.enabled and uses_bf16(config.optimizer)
    model, tokenizer = load_base(config.model, run, dtype=torch.bfloat16 if is_frozen_bf16 else torch.float32)
    num_parameters = model.num_parameters()
    data = encode(records, config.prompt, tokenizer)
    return Ground(
        records=records,
        data=data,
        model=with_adapters(model, config.lora) if config.lora.enabled else model,
        tokenizer=tokenizer,
        num_parameters=num_parameters,
    )


def _checkpoint(
    config: TaskConfig, places: Places, checkpoints: Path, *, fresh: bool, process: PartialState
) -> Path | None:
    """The checkpoint to go on from: of this machine, or of the bucket."""
    if process.is_local_main_process:
        if fresh:
            shutil.rmtree(checkpoints, ignore_errors=True)
        elif (remote := _remote(places.checkpoints)) is not None:
            restore(remote, checkpoints)
    return prepare(checkpoints, config, num_processes=process.num_processes)


def _remote(place: str) -> BucketFolder | None:
    return bucket_folder(place) if is_bucket(place) else None


@contextmanager
def _running(training: Any, stop: StopRequest, places: Places, logs: Path) -> Iterator[None]:
    """Progress, streaming and interruption while the trainer works."""
    stream = StreamToBucket(checkpoints=_remote(places.checkpoints), logs=_remote(places.logs), log_folder=logs)
    for callback in (Progress(), stream, StopWithCheckpoint(stop)):
        training.add_callback(callback)
    stop.is_training = True
    try:
        yield
    finally:
        stop.is_training = False
        stream.close()


def _save(training: Any, folder: Path, process: PartialState) -> None:
    """Weights, config and tokenizer. A model in parts is gathered, so every process takes part."""
    if process.is_main_process:
        shutil.rmtree(folder, ignore_errors=True)  # what an earlier run left
    process.wait_for_everyone()
    training.accelerator.unwrap_model(training.model).config.use_cache = True  # off while training
    training.save_model(str(folder))


def _machine(num_processes: int) -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return f"{num_processes} process on {device}" if num_processes == 1 else f"{num_processes} processes on {device}"
