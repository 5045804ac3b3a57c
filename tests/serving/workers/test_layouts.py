"""Candidates, and a choice between real forks whose steps take a known time."""

import time

import pytest

from serving.workers.layouts import candidates, choose


@pytest.mark.parametrize(
    ("num_cores", "given", "pairs"),
    [
        (1, {}, ((1, 1),)),
        (2, {}, ((1, 2), (2, 1))),
        (6, {}, ((1, 6), (2, 3), (4, 1), (6, 1))),
        (8, {}, ((1, 8), (2, 4), (4, 2), (8, 1))),
        (8, {"num_workers": 3}, ((3, 2),)),
        (2, {"num_workers": 4}, ((4, 1),)),
        (8, {"num_threads": 2}, ((1, 2), (4, 2))),
        (2, {"num_threads": 4}, ((1, 4),)),
        (8, {"num_workers": 2, "num_threads": 3}, ((2, 3),)),
    ],
)
def test_candidates_fill_the_cores_and_keep_what_is_given(num_cores, given, pairs):
    assert candidates(num_cores, **given) == pairs


def sleeps(seconds):
    """Steps of `seconds(rows, threads)`."""
    return lambda rows, threads: lambda: time.sleep(seconds(rows, threads))


def test_the_layout_with_most_tokens_per_second_is_taken():
    by_row = sleeps(lambda rows, threads: 0.002 * rows)
    alone_for_all = sleeps(lambda rows, threads: 0.02 / threads)

    assert choose(((1, 2), (2, 1)), by_row, num_rows=8).num_workers == 2
    assert choose(((1, 4), (2, 2)), alone_for_all, num_rows=8).num_workers == 1


def test_of_layouts_that_are_nearly_as_fast_the_one_with_fewest_workers_is_taken():
    nearly = {2: 0.0507, 1: 0.0500}
    step_for = sleeps(lambda rows, threads: nearly[threads] * rows / 8 * (2 / threads))

    assert choose(((1, 2), (2, 1)), step_for, num_rows=8).num_workers == 1


def test_a_worker_alone_takes_the_idle_cores_only_where_that_is_faster():
    scales = sleeps(lambda rows, threads: 0.02 / threads)
    does_not = sleeps(lambda rows, threads: 0.01 * threads)

    assert choose(((2, 1),), scales, num_rows=8).alone_threads == 2
    assert choose(((2, 1),), does_not, num_rows=8).alone_threads == 1


def test_a_layout_whose_probe_dies_is_not_taken():
    def step_for(rows, threads):
        if threads == 1:
            raise MemoryError
        return lambda: time.sleep(0.01)

    assert choose(((1, 2), (2, 1)), step_for, num_rows=8).num_workers == 1
