import math

import pytest

from serving.errors import NotReady, Overloaded
from serving.request import Beams, ValidRequest
from serving.scheduler import Scheduler
from serving.scheduling.waiting import WaitingLine
from serving.sequence import Completion, Sequence
from tests.serving.words import Words


def sequence(id_, *, prompt=10, new=10, num_beams=1, deadline=math.inf, events=None):
    beams = Beams(num_beams) if num_beams > 1 else None
    request = ValidRequest(prompt_ids=(1,) * prompt, max_new_tokens=new, beams=beams)
    listener = (events if events is not None else []).append
    return Sequence(id_, request, tokenizer=Words(), deadline=deadline, listener=listener)


def scheduler(*, max_waiting=8, **limits):
    line = WaitingLine(max_sequences=max_waiting, max_tokens=10_000)
    return Scheduler(line, **{"max_batch_size": 4, "max_batch_tokens": 100} | limits)


def ids(sequences):
    return [s.id for s in sequences]


def test_admits_oldest_first_until_the_token_budget_is_full():
    line = scheduler()
    line.add([sequence(i, prompt=30, new=10) for i in range(3)])

    assert ids(line.admit()) == [0, 1]
    assert ids(line.waiting) == [2]


def test_a_small_sequence_does_not_overtake_a_large_one_that_waits():
    line = scheduler()
    line.add([sequence(0, prompt=60, new=10), sequence(1, prompt=60, new=10), sequence(2, prompt=5, new=5)])

    assert ids(line.admit()) == [0]
    assert ids(line.admit()) == []


def test_admits_no_more_sequences_than_the_batch_holds():
    line = scheduler(max_batch_size=2)
    line.add([sequence(i, prompt=1, new=1) for i in range(3)])

    assert ids(line.admit()) == [0, 1]


def test_each_beam_counts_as_a_row_of_the_batch():
    line = scheduler(max_batch_size=4)
    line.add([sequence(0, prompt=1, new=1, num_beams=3), sequence(1, prompt=1, new=1), sequence(2, prompt=1, new=1)])

    assert ids(line.admit()) == [0, 1]


def test_each_beam_holds_the_prompt_and_an_answer():
    line = scheduler(max_batch_tokens=100)
    line.add([sequence(0, prompt=10, new=10, num_beams=4), sequence(1, prompt=11, new=10)])

    assert line.waiting.num_tokens == 101
    assert ids(line.admit()) == [0]


def test_an_ended_sequence_makes_room_for_the_next():
    line = scheduler(max_batch_size=1)
    first, second = sequence(0), sequence(1)
    line.add([first, second])
    line.admit()

    first.end(Completion("", 1, "eos"))

    assert ids(line.retire()) == [0]
    assert ids(line.admit()) == [1]


def test_a_request_that_does_not_fit_the_line_waits_with_none_of_its_sequences():
    line = scheduler(max_waiting=3)
    line.add([sequence(0), sequence(1)])

    with pytest.raises(Overloaded, match=r"2 sequences are already waiting \(MAX_WAITING is 3\).*adds 2"):
        line.add([sequence(2), sequence(3)])

    assert ids(line.waiting) == [0, 1]


def test_retry_after_grows_with_the_line_and_stays_within_a_minute():
    line = scheduler(max_waiting=100)
    line.record(num_ended=2, seconds=4)

    assert line.retry_after_s() == 1
    line.add([sequence(i) for i in range(10)])
    assert line.retry_after_s() == 10
    line.add([sequence(i) for i in range(90)])
    assert line.retry_after_s() == 60


def test_those_past_their_deadline_leave_the_line():
    line = scheduler()
    line.add([sequence(0, deadline=5), sequence(1, deadline=50)])

    assert ids(line.expire(now=10)) == [0]
    assert ids(line.waiting) == [1]


def test_withdraws_only_what_still_waits():
    line = scheduler(max_batch_size=1)
    both = [sequence(0), sequence(1)]
    line.add(both)
    line.admit()

    assert ids(line.withdraw(both)) == [1]


def test_a_sequence_ends_exactly_once():
    events = []
    one = sequence(0, events=events)

    one.end(Completion("a", 1, "eos"))
    one.end(NotReady("too late"))

    assert events == [Completion("a", 1, "eos")]


def test_a_sequence_ends_at_its_end_token_its_length_its_deadline_or_its_cancellation():
    def run(one, tokens, *, now=0.0):
        for token in tokens:
            if not one.accept(token, is_eos=token == 9, now=now):
                break
        return one.outcome

    cancelled = sequence(3)
    cancelled.cancel(NotReady("gone"))

    assert run(sequence(0), [1, 2, 9, 4]).finish_reason == "eos"
    assert run(sequence(1, new=2), [1, 2, 3, 4]) == Completion(
        "1 2", 2, "length", num_prompt_tokens=10, token_ids=(1, 2)
    )
    assert run(sequence(2, deadline=1), [1], now=2.0).reason == "deadline_exceeded"
    assert run(cancelled, [1]).reason == "not_ready"
