"""The figures of a tuned model, on the splits that it did not learn from. Knows no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.records.record_sets import TARGET, RecordSets
from training.scoring.rouge import METRICS
from training.tuning.encoding import EncodedSets

NUM_SAMPLES = 5


@dataclass(frozen=True)
class Evaluation:
    """figures: by split, then by metric. samples: prompt, reference and answer of the test split's first records."""

    figures: dict[str, dict[str, float]]
    samples: list[tuple[str, str, str]]


def evaluate(trainer: Any, records: RecordSets, data: EncodedSets, tokenizer: Any) -> Evaluation:
    figures = {}
    for name, split in (("validation", data.validation), ("test", data.test)):
        outcome = trainer.predict(split, metric_key_prefix=name)
        figures[name] = {metric: outcome.metrics[f"{name}_{metric}"] for metric in (*METRICS, "gen_len")}
    answer_ids = outcome.predictions[:NUM_SAMPLES]
    answer_ids[answer_ids < 0] = tokenizer.pad_token_id
    prompt_ids = data.test["input_ids"][:NUM_SAMPLES]
    prompts, answers = (tokenizer.batch_decode(ids, skip_special_tokens=True) for ids in (prompt_ids, answer_ids))
    return Evaluation(figures, list(zip(prompts, records.test[TARGET][:NUM_SAMPLES], answers, strict=True)))
