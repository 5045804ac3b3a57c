"""How good a model's summaries are: ROUGE, and how many hold every fact of the reference.

Works on any sequence-to-sequence model with a tokenizer; knows nothing of training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import torch
from rouge_score import rouge_scorer

from training.corpus.dialogues import Example

METRICS = ("rouge1", "rouge2", "rougeL")
MAX_NEW_TOKENS = 64


@dataclass(frozen=True)
class Report:
    """All numbers in percent, means over the examples.

    rouge: F-measure. facts: share whose summary holds every fact. facts_by_kind: the same for each scene.
    facts_unseen: the same where a fact is a name that training never met. same: share equal to the reference.
    """

    count: int
    rouge: dict[str, float]
    facts: float
    facts_unseen: float
    facts_by_kind: dict[str, float]
    same: float
    held: list[Example] = field(repr=False)
    outputs: list[str] = field(repr=False)

    @property
    def num_right(self) -> int:
        return sum(has_every_fact(one, output) for one, output in zip(self.held, self.outputs, strict=True))


@torch.no_grad()
def summarize(model: Any, tokenizer: Any, prompts: list[str], *, batch: int = 32) -> list[str]:
    """Greedy summaries, in the order of the prompts."""
    texts: list[str] = []
    for start in range(0, len(prompts), batch):
        inputs = tokenizer(prompts[start : start + batch], padding=True, return_tensors="pt")
        tokens = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
        )
        texts += tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return texts


def evaluate(model: Any, tokenizer: Any, held: list[Example]) -> Report:
    """Scores greedy summaries of held-out examples."""
    outputs = summarize(model, tokenizer, [one.prompt for one in held])
    scorer = rouge_scorer.RougeScorer(list(METRICS), use_stemmer=True)
    scores = [scorer.score(one.summary, output) for one, output in zip(held, outputs, strict=True)]
    right = [has_every_fact(one, output) for one, output in zip(held, outputs, strict=True)]
    kinds = sorted({one.kind for one in held})
    return Report(
        count=len(held),
        rouge={metric: percent([score[metric].fmeasure for score in scores]) for metric in METRICS},
        facts=percent(right),
        facts_unseen=percent([ok for one, ok in zip(held, right, strict=True) if one.has_unseen_name]),
        facts_by_kind={
            kind: percent([ok for one, ok in zip(held, right, strict=True) if one.kind == kind]) for kind in kinds
        },
        same=percent([one.summary == output for one, output in zip(held, outputs, strict=True)]),
        held=held,
        outputs=outputs,
    )


def percent(shares: list[bool] | list[float]) -> float:
    """The mean in percent; 0 of nothing."""
    return round(100 * sum(shares) / len(shares), 2) if shares else 0.0


def has_every_fact(example: Example, output: str) -> bool:
    """Whether each fact is in the output, as whole words: `Ann` is not in `Anna`, nor `at 1` in `at 11`."""
    return all(re.search(rf"(?<![\w:]){re.escape(fact)}(?![\w:])", output) for fact in example.facts)
