from training.corpus.dialogues import Example, take
from training.corpus.handwritten import DRAFTED, HANDWRITTEN
from training.embedded.evaluation import evaluate, has_every_fact, percent


def example(*facts):
    return Example("Anna: Hi", "a summary", facts, "errand")


def test_a_fact_is_found_as_whole_words_only():
    assert has_every_fact(example("Ann", "at 1"), "Ann will come at 1.")
    assert not has_every_fact(example("Ann"), "Anna will come.")
    assert not has_every_fact(example("at 1"), "Ann will come at 11.")
    assert not has_every_fact(example("at 7"), "Ann will come at 7:30.")
    assert not has_every_fact(example("Ann", "Ben"), "Ann will come.")


def test_handwritten_references_hold_their_own_facts_and_are_in_no_corpus():
    made = {one.dialogue for one in take("train", 2000, 7)}

    assert len(HANDWRITTEN) >= 10
    assert all(has_every_fact(one, one.summary) for one in HANDWRITTEN + DRAFTED)
    assert not made & {one.dialogue for one in HANDWRITTEN + DRAFTED}


def test_the_mean_of_nothing_is_nothing():
    assert percent([]) == 0.0
    assert percent([True, False, False, True]) == 50.0


def test_a_model_that_answers_with_the_reference_scores_full_marks(tokenizer):
    """The real scorer, the real tokenizer; the model writes down the labels it was given."""
    held = take("test", 20, 7)

    class Oracle:
        def generate(self, **inputs):
            return tokenizer([one.summary for one in held], padding=True, return_tensors="pt")["input_ids"]

    report = evaluate(Oracle(), tokenizer, held)

    assert report.rouge == {"rouge1": 100.0, "rouge2": 100.0, "rougeL": 100.0}
    assert (report.facts, report.same, report.count) == (100.0, 100.0, 20)
