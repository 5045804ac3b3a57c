"""ROUGE of answers against references, as the tutorials report it. Knows no tokens and no models.

F-measures in percent with the Porter stemmer, mean over the examples, four decimals; ROUGE-Lsum compares sentence by
sentence, as NLTK's Punkt parts them. The `evaluate` package, which the tutorials call, adds a bootstrap around the
same scorer and reports the middle of it; the mean is what that middle estimates, and it has no dice in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import punkt
from rouge_score import rouge_scorer

METRICS = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def rouge(outputs: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """One number for each of METRICS; 0 of nothing."""
    scorer = rouge_scorer.RougeScorer(list(METRICS), use_stemmer=True)
    scores = [scorer.score(_lines(want), _lines(got)) for got, want in zip(outputs, references, strict=True)]
    return {metric: _mean([score[metric].fmeasure for score in scores]) for metric in METRICS}


def _lines(text: str) -> str:
    """A sentence a line, which is what ROUGE-Lsum goes by; the others do not see line breaks."""
    return "\n".join(punkt.sent_tokenize(text.strip()))


def _mean(shares: Sequence[float]) -> float:
    return round(100 * sum(shares) / len(shares), 4) if shares else 0.0
