import random

import pytest

from serving.errors import Overloaded
from serving.request import ValidRequest
from serving.scheduling.waiting import WaitingLine
from serving.sequence import Sequence
from tests.serving.words import Words


def sequence(id_, client="", *, tokens=10):
    request = ValidRequest(prompt_ids=(1,) * (tokens - 1), max_new_tokens=1, client=client)
    return Sequence(id_, request, tokenizer=Words(), deadline=9.0, listener=lambda _: None)


def line(**limits):
    return WaitingLine(**{"max_sequences": 8, "max_tokens": 100} | limits)


def add(waiting, *sequences):
    waiting.add(list(sequences), retry_after_s=3)


def drain(waiting):
    return [waiting.pop().id for _ in range(len(waiting))]


def test_one_client_is_served_first_come_first_served():
    waiting = line()
    add(waiting, *(sequence(i) for i in range(5)))

    assert waiting.first().id == 0
    assert drain(waiting) == [0, 1, 2, 3, 4]
    assert (len(waiting), waiting.num_tokens, waiting.first()) == (0, 0, None)


def test_more_sequences_than_the_bound_are_refused_whole_with_both_numbers():
    waiting = line(max_sequences=3)
    add(waiting, sequence(0), sequence(1))

    with pytest.raises(Overloaded, match=r"2 sequences are already waiting \(MAX_WAITING is 3\).*adds 2.*in 3 s") as e:
        add(waiting, sequence(2), sequence(3))

    assert e.value.retry_after_s == 3
    assert [s.id for s in waiting] == [0, 1]


def test_more_tokens_than_the_bound_are_refused_though_few_sequences_wait():
    waiting = line(max_tokens=100)
    add(waiting, sequence(0, tokens=60))

    with pytest.raises(Overloaded, match=r"60 tokens are already waiting \(MAX_WAITING_TOKENS is 100\).*adds 41"):
        add(waiting, sequence(1, tokens=41))
    add(waiting, sequence(2, tokens=40))

    assert waiting.num_tokens == 100


def test_a_named_client_may_fill_its_share_and_leaves_the_rest_to_others():
    waiting = line(max_sequences=8, max_tokens=100)
    add(waiting, *(sequence(i, "busy") for i in range(4)))

    with pytest.raises(Overloaded, match="one client may take 50% of the line, 4 sequences and 50 tokens"):
        add(waiting, sequence(4, "busy"))
    with pytest.raises(Overloaded, match=r"0 sequences of this client are already waiting.*51 tokens in all"):
        add(waiting, sequence(5, "long", tokens=51))
    add(waiting, sequence(7, "other"))

    assert len(waiting) == 5


def test_a_newcomer_does_not_wait_behind_everything_a_busy_client_has_queued():
    waiting = line()
    add(waiting, *(sequence(i, "busy") for i in range(4)))
    add(waiting, sequence(10, "other"), sequence(11, "other"))

    assert drain(waiting) == [0, 10, 1, 11, 2, 3]


def test_fairness_counts_tokens_not_requests():
    waiting = line(max_sequences=100, max_tokens=1000)
    add(waiting, *(sequence(i, "long", tokens=40) for i in range(3)))
    add(waiting, *(sequence(10 + i, "short", tokens=10) for i in range(8)))

    assert drain(waiting) == [0, 10, 11, 12, 13, 1, 14, 15, 16, 17, 2]


def test_a_rest_earns_no_credit():
    waiting = line()
    add(waiting, sequence(0, "rests"))
    for number in range(1, 20):
        add(waiting, sequence(number, "works"))
        waiting.pop()
    waiting.pop()
    add(waiting, *(sequence(20 + i, "works") for i in range(2)))
    add(waiting, *(sequence(30 + i, "rests") for i in range(3)))

    assert drain(waiting) in ([20, 30, 21, 31, 32], [30, 20, 31, 21, 32])


def test_who_leaves_the_line_early_gives_its_room_back():
    waiting = line()
    add(waiting, sequence(0, "a"), sequence(1, "b"), sequence(2, "a"))

    assert [s.id for s in waiting.take(lambda s: s.request.client == "a")] == [0, 2]
    assert waiting.take(lambda s: False) == []
    assert (waiting.num_tokens, drain(waiting)) == (10, [1])


def test_a_thousand_passing_clients_leave_nothing_behind_and_do_not_hold_up_who_waits():
    waiting = line()
    add(waiting, sequence(-1, "regular"), sequence(-2, "regular"))
    order = []
    for number in range(1000):
        add(waiting, sequence(number, f"client {number}"))
        order.append(waiting.pop().id)

    assert order.index(-2) < 6
    assert len(waiting) == 2
    assert len(waiting._given) < 10


@pytest.mark.parametrize("seed", range(20))
def test_under_random_traffic_all_are_served_once_and_busy_clients_get_equal_tokens(seed):
    draw = random.Random(seed)
    waiting = line(max_sequences=10_000, max_tokens=1_000_000, max_client_share=1.0)
    sent, served, given = [], [], dict.fromkeys("abc", 0)
    for number in range(300):
        one = sequence(number, draw.choice("abc"), tokens=draw.randrange(2, 60))
        add(waiting, one)
        sent.append(one)
    for _ in range(150):  # all three have a backlog all along
        one = waiting.pop()
        served.append(one)
        given[one.request.client] += one.request.num_tokens
        assert max(given.values()) - min(given.values()) <= 60
    while len(waiting):
        served.append(waiting.pop())

    assert sorted(s.id for s in served) == [s.id for s in sent]
    for client in "abc":
        mine = [s.id for s in served if s.request.client == client]
        assert mine == sorted(mine)
