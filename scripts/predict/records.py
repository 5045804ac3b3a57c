"""One record out of the test split of a deployment's task: what a model has not learned from, with its reference.

Reads the task that `[training]` names, as the job does; knows nothing of endpoints.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cdk.training import Training
from training.config.reading import VARIABLE, read
from training.corpus.dialogues import take

GENERATED = "generated"
NUM_DRAWN = 1000  # of the generated test split, which is endless


@dataclass(frozen=True)
class Record:
    """prompt: what the model is sent, the task's template applied; the server applies it to none that has it."""

    text: str
    reference: str
    prompt: str


def random_record(training: Training, *, source: str | None, seed: int) -> Record:
    """The same for the same seed. source: another one than the task's. Raises BadConfig."""
    changes = [f"data.source={source}"] if source else []
    task = read(None, environment={VARIABLE: training.job_config}, changes=changes)
    if task.data.source == GENERATED:
        drawn = take("test", NUM_DRAWN, task.optimizer.seed)[random.Random(seed).randrange(NUM_DRAWN)]  # noqa: S311
        text, reference = drawn.dialogue, drawn.summary
    else:
        from training.records.record_sets import INPUT, TARGET, record_sets  # imports `datasets`, which takes seconds

        with tempfile.TemporaryDirectory() as scratch:
            test = record_sets(task.data, seed=task.optimizer.seed, scratch=Path(scratch)).test
            row = test[random.Random(seed).randrange(len(test))]  # noqa: S311
            text, reference = str(row[INPUT]), str(row[TARGET])
    return Record(text, reference, task.prompt.template.replace("{input}", text))
