"""How good a model's summaries are: ROUGE, and how many hold every fact.

Works on any sequence-to-sequence model with a tokenizer; knows nothing of training.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from rouge_score import rouge_scorer

from training.corpus import Example

METRICS = ("rouge1", "rouge2", "rougeL")
MAX_NEW_TOKENS = 64


@dataclass
class Report:
    """rouge: F-measure in percent, mean over the examples. facts: share whose summary holds every fact, in percent."""

    count: int
    rouge: dict[str, float]
    facts: float
    facts_by_kind: dict[str, float]
    outputs: list[str] = field(repr=False, default_factory=list)


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
    sums: Counter[str] = Counter()
    right: Counter[str] = Counter()
    kinds = Counter(one.kind for one in held)
    for one, output in zip(held, outputs, strict=True):
        scores = scorer.score(one.summary, output)
        for metric in METRICS:
            sums[metric] += scores[metric].fmeasure
        right[one.kind] += has_every_fact(one, output)
    return Report(
        count=len(held),
        rouge={metric: round(100 * sums[metric] / len(held), 2) for metric in METRICS},
        facts=round(100 * sum(right.values()) / len(held), 1),
        facts_by_kind={kind: round(100 * right[kind] / kinds[kind], 1) for kind in sorted(kinds)},
        outputs=outputs,
    )


def has_every_fact(example: Example, output: str) -> bool:
    return all(fact in output for fact in example.facts)
