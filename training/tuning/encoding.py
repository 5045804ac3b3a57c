"""Records to token ids: the prompt template, the measured lengths, the padding. Knows no model.

As the tutorials do it: the prompt is the template around the record, both sides are cut at a length measured over every
split, and padding of labels is -100, which carries no loss. Unlike them, a batch is padded to its own longest record
(to a multiple of 8, which tensor cores like) instead of to the longest of all: the loss is the same, the work is less.
And lengths are measured with the template around the record: the tutorials measured without it, and so cut the end of
the longest dialogues.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from transformers import DataCollatorForSeq2Seq

from training.config.task import INPUT as PLACE
from training.config.task import LONGEST, PERCENTILE, PromptConfig
from training.records.record_sets import INPUT, TARGET, RecordSets

IGNORED = -100
MULTIPLE = 8
BATCH = 1000


@dataclass(frozen=True)
class Lengths:
    """Most tokens of a prompt and of an answer, end token included; how many records are cut by them."""

    source: int
    target: int
    num_cut_sources: int
    num_cut_targets: int


@dataclass(frozen=True)
class EncodedSets:
    """Three data sets with `input_ids`, `attention_mask` and `labels`."""

    train: Dataset
    validation: Dataset
    test: Dataset
    lengths: Lengths


def filled(template: str, text: str) -> str:
    """The prompt: what the model reads in training, in evaluation, and behind the server."""
    return template.replace(PLACE, text)


def encode(records: RecordSets, prompt: PromptConfig, tokenizer: Any) -> EncodedSets:
    splits = {"train": records.train, "validation": records.validation, "test": records.test}
    tokens = {name: split.map(_tokens, **_mapping(split, tokenizer, prompt)) for name, split in splits.items()}
    sources = [len(ids) for split in tokens.values() for ids in split["input_ids"]]
    targets = [len(ids) for split in tokens.values() for ids in split["labels"]]
    most_source = measured(prompt.source_length, sources, limit=prompt.limit)
    most_target = measured(prompt.target_length, targets, limit=prompt.limit)
    lengths = Lengths(
        source=most_source,
        target=most_target,
        num_cut_sources=sum(length > most_source for length in sources),
        num_cut_targets=sum(length > most_target for length in targets),
    )
    cut = {name: split.map(_cut, fn_kwargs={"lengths": lengths}) for name, split in tokens.items()}
    return EncodedSets(cut["train"], cut["validation"], cut["test"], lengths)


def measured(wanted: Any, lengths: list[int], *, limit: int) -> int:
    """The length that a setting asks for. lengths: of every record, in tokens."""
    if isinstance(wanted, int):
        return min(wanted, limit)
    if wanted == LONGEST:
        return min(max(lengths), limit)
    share = int(wanted.removeprefix(PERCENTILE))
    return min(sorted(lengths)[math.ceil(share / 100 * len(lengths)) - 1], limit)


def collator(tokenizer: Any, model: Any) -> DataCollatorForSeq2Seq:
    return DataCollatorForSeq2Seq(tokenizer, model=model, label_pad_token_id=IGNORED, pad_to_multiple_of=MULTIPLE)


def _mapping(split: Dataset, tokenizer: Any, prompt: PromptConfig) -> dict[str, Any]:
    return {
        "batched": True,
        "batch_size": BATCH,
        "remove_columns": split.column_names,
        "fn_kwargs": {"tokenizer": tokenizer, "template": prompt.template},
    }


def _tokens(records: dict[str, list[str]], *, tokenizer: Any, template: str) -> dict[str, list[list[int]]]:
    prompts = [filled(template, text) for text in records[INPUT]]
    source = tokenizer(prompts, truncation=False, verbose=False)
    target = tokenizer(text_target=records[TARGET], truncation=False, verbose=False)
    return {
        "input_ids": source["input_ids"],
        "attention_mask": source["attention_mask"],
        "labels": target["input_ids"],
    }


def _cut(record: dict[str, list[int]], *, lengths: Lengths) -> dict[str, list[int]]:
    """As a tokenizer truncates, and as the server does when asked: the end goes, the end token stays."""
    ids, labels = record["input_ids"], record["labels"]
    if len(ids) > lengths.source:
        ids = [*ids[: lengths.source - 1], ids[-1]]
    if len(labels) > lengths.target:
        labels = [*labels[: lengths.target - 1], labels[-1]]
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels}
