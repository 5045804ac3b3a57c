"""One fine-tuning from its settings to a delivered model folder. Knows no command line.

Every process of a distributed training runs this; the first of them alone writes folders and buckets.
"""

from __future__ import annotations

import platform
import shutil
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
from training.scale.here import here, require_room_here
from training.scale.sharding import processes
from training.tuning.adapters import merged, num_parameters, num_trainable, with_adapters
from training.tuning.base_model import load_model, load_tokenizer, located, size_here
from training.tuning.checkpoints import prepare
from training.tuning.encoding import EncodedSets, encode
from training.tuning.evaluation import Evaluation, evaluate
from training.tuning.interruption import StopRequest, StopWithCheckpoint
from training.tuning.progress import Progress
from training.tuning.stopwatch import Stopwatch
from training.tuning.streaming import StreamToBucket, restore
from training.tuning.trainer import arguments, make_trainer, uses_bf16

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
    """What a training starts from, besides the weights. base: folder or id of the model."""

    base: str | Path
    records: RecordSets
    data: EncodedSets
    tokenizer: Any

    def told(self, task: str) -> str:
        lengths, records = self.data.lengths, self.records
        return (
            f"{task}: {len(records.train)} + {len(records.validation)} + {len(records.test)} records, "
            f"prompts up to {lengths.source} tokens ({lengths.num_cut_sources} cut), "
            f"answers up to {lengths.target} ({lengths.num_cut_targets} cut)"
        )


def fine_tune(config: TaskConfig, places: Places, *, stop: StopRequest, fresh: bool = False, tell: Tell) -> Result:
    """Raises `BadConfig`, `Interrupted` and `BucketFailed`. fresh: forget the checkpoints of an earlier run."""
    watch = Stopwatch()
    process = processes(config)
    set_seed(config.optimizer.seed)
    checkpoints, logs = _local_folders(places)
    with process.local_main_process_first():
        ground = _ground(config, places.run, process)
        resumed = _checkpoint(config, places, checkpoints, fresh=fresh, process=process)
    tell(ground.told(config.task))
    if resumed is not None:
        watch.go_on(resumed)
        tell(f"going on from {resumed.name}, attempt {watch.num_attempts}")
    if config.generation.beams > 1:
        tell(f"scored with {config.generation.beams} beams: the server answers so when it is asked to (num_beams)")
    training = _trainer(config, ground, checkpoints, logs)
    training.add_callback(watch)
    with _running(training, stop, places, logs):
        training.train(resume_from_checkpoint=str(resumed) if resumed else None)
        num_trained = num_trainable(training.model)
        if config.lora.enabled:
            training.model = training.model_wrapped = merged(training.model)
        num_weights = num_parameters(training.model)
        evaluation = evaluate(training, ground.records, ground.data, ground.tokenizer)
    facts = {"task": config.task, "base_model": config.model.base, "git_sha": git_sha()}
    spent = {"seconds": round(watch.seconds, 1), "attempts": watch.num_attempts}
    metrics: Metrics = {**evaluation.figures, **facts, **spent}
    _save(training, places.run / "model", process)
    if process.is_main_process:
        machine = _machine(process.num_processes)
        card = _card(config, ground, evaluation, metrics, numbers=(num_weights, num_trained), machine=machine)
        complete_folder(places.run / "model", template=config.prompt.template, card=card, metrics=metrics)
        deliver(places.run / "model", places.model)
        if places.own_checkpoints:
            shutil.rmtree(checkpoints)
    process.wait_for_everyone()
    return Result(metrics, places.model, evaluation.samples)


def _trainer(config: TaskConfig, ground: Ground, checkpoints: Path, logs: Path) -> Any:
    """With the model, which is loaded after the arguments: where they divide it, each process loads its share alone."""
    settings = arguments(config, checkpoints)
    # weights that stay as they are need no more than products do
    is_frozen_bf16 = config.lora.enabled and uses_bf16(config.optimizer)
    model = load_model(ground.base, config.model, dtype=torch.bfloat16 if is_frozen_bf16 else torch.float32)
    if config.lora.enabled:
        model = with_adapters(model, config.lora)
    return make_trainer(config, settings, model, ground.tokenizer, ground.data, logs=logs)


def _card(
    config: TaskConfig,
    ground: Ground,
    evaluation: Evaluation,
    metrics: Metrics,
    *,
    numbers: tuple[int, int],
    machine: str,
) -> str:
    """numbers: of all weights, and of those that were trained."""
    records = ground.records
    return TuningCard(
        config=config,
        origin=records.origin,
        num_records=(len(records.train), len(records.validation), len(records.test)),
        lengths=ground.data.lengths,
        num_parameters=numbers[0],
        num_trained=numbers[1],
        evaluation=evaluation,
        git_sha=metrics["git_sha"],
        seconds=metrics["seconds"],
        num_attempts=metrics["attempts"],
        machine=machine,
    ).text()


def _local_folders(places: Places) -> tuple[Path, Path]:
    """Where checkpoints and logs are written on this machine."""
    places.run.mkdir(parents=True, exist_ok=True)
    checkpoints = places.run / "checkpoints" if is_bucket(places.checkpoints) else Path(places.checkpoints)
    logs = places.run / "logs" if is_bucket(places.logs) else Path(places.logs)
    return checkpoints, logs


def _ground(config: TaskConfig, run: Path, process: PartialState) -> Ground:
    base = located(config.model, run)
    require_room_here(config, size_here(base, config.model), here(process.num_processes))
    tokenizer = load_tokenizer(base, config.model)
    records = record_sets(config.data, seed=config.optimizer.seed, scratch=run)
    return Ground(base=base, records=records, data=encode(records, config.prompt, tokenizer), tokenizer=tokenizer)


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
