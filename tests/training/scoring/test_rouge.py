import pytest
from rouge_score import rouge_scorer

from training.scoring.rouge import METRICS, rouge

PAIRS = [
    ("Anna will buys bread. Ben sleeps.", "Ben is sleeping. Anna buys the bread."),
    ("Dr. Smith went home.", "Dr. Smith goes home at 5.30 p.m. He is tired."),
    ("", "Nothing was said."),
]


def test_figures_are_percent_means_of_the_scorers_f_measures_with_the_stemmer():
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)

    figures = rouge(*zip(*PAIRS, strict=True))

    for metric in ("rouge1", "rouge2", "rougeL"):
        wanted = sum(scorer.score(want, got)[metric].fmeasure for got, want in PAIRS) / len(PAIRS)
        assert figures[metric] == round(100 * wanted, 4)


def test_the_sum_goes_sentence_by_sentence_so_that_their_order_does_not_matter():
    figures = rouge(["Ben sleeps. Anna buys bread."], ["Anna buys bread. Ben sleeps."])

    assert figures["rougeLsum"] == 100.0
    assert figures["rougeL"] == 60.0


def test_words_count_by_their_stems_and_sentences_do_not_end_at_abbreviations():
    assert rouge(["She walks"], ["she walking"])["rouge1"] == 100.0
    assert rouge(["Dr. Smith sleeps."], ["Smith sleeps, Dr."])["rougeLsum"] < 100.0


def test_nothing_scores_nothing_and_a_missing_answer_is_an_error():
    assert rouge([], []) == dict.fromkeys(METRICS, 0.0)
    with pytest.raises(ValueError, match="longer"):
        rouge(["a"], ["a", "b"])
