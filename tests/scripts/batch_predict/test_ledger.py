"""Lines of a batch: told by their content, none lost and none answered twice."""

from __future__ import annotations

import json

import pytest

from scripts.batch_predict.ledger import BadInput, Ledger


def ledger(*instances):
    return Ledger.of(json.dumps(one) + "\n" for one in instances)


def good(instance, prediction):
    return {"instance": instance, "prediction": prediction}


def bad(instance, message="Non-OK result 422"):
    return {"instance": instance, "error": {"code": 3, "message": message}}


def told(book):
    return [json.loads(line) for line in book.results()]


def test_answers_in_any_order_find_their_lines():
    book = ledger("a", {"prompt": "b"}, "c")
    book.book([good("c", 3), good("a", 1), good({"prompt": "b"}, 2)])

    assert [one["prediction"] for one in told(book)] == [1, 2, 3]
    assert book.open == []


def test_equal_lines_are_as_many_as_they_are():
    book = ledger("twice", "twice")
    assert book.book([good("twice", 1)]) == 0
    assert [line.number for line in book.open] == [2]
    assert book.book([good("twice", 2), good("twice", 3)]) == 1
    assert [one["prediction"] for one in told(book)] == [1, 2]


def test_what_failed_says_why_and_what_nobody_answered_says_that():
    book = ledger("a", "b")
    book.book([bad("a")])

    assert told(book) == [
        {"line": 1, "instance": "a", "error": "Non-OK result 422"},
        {"line": 2, "instance": "b", "error": "not answered"},
    ]
    assert [line.number for line in book.failed] == [1]


def test_a_line_that_failed_and_then_went_well_is_done():
    book = ledger("a")
    book.book([bad("a")])
    book.book([good("a", 1)])

    assert told(book) == [{"line": 1, "instance": "a", "prediction": 1}]


def test_foreign_words_in_an_output_file_are_counted_and_harm_nothing():
    book = ledger("a")

    assert book.book(["('Post request fails', 3)", {"other": 1}, good("stranger", 1)]) == 3
    assert len(book.open) == 1


def test_an_earlier_runs_results_are_taken_over_save_what_failed_or_is_torn():
    first = ledger("a", "b", "c")
    first.book([good("a", 1), bad("b")])
    text = "".join(first.results())
    second = ledger("c", "b", "a")

    assert second.resume([*text.splitlines()[:2], '{"line": 3, "inst']) == 1
    assert [line.instance for line in second.open] == ["c", "b"]


@pytest.mark.parametrize(
    ("lines", "said"), [(['"good"\n', "{torn\n"], "line 2: no JSON value"), (["\n", "  \n"], "no line")]
)
def test_an_input_that_would_end_the_whole_job_is_refused_before_it(lines, said):
    with pytest.raises(BadInput, match=said):
        Ledger.of(lines)


def test_empty_lines_keep_the_numbers_of_the_others():
    assert [line.number for line in Ledger.of(['"a"\n', "\n", '"b"\n']).lines] == [1, 3]
