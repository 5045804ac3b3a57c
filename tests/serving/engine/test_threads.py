import logging
import os
import time

import pytest
import torch

from serving.engine.threads import choose_threads, usable_cores
from tests.serving.engine.continuous.test_t5_engine import assert_equal, engine, run, some
from tests.serving.test_t5 import make


def container(tmp_path, *, cpu_max):
    (tmp_path / "cpu.max").write_text(cpu_max)
    return tmp_path


def test_a_container_of_one_and_a_half_cores_gets_one_thread(tmp_path):
    assert usable_cores(container(tmp_path, cpu_max="150000 100000")) == 1


def test_a_container_of_less_than_a_core_gets_one_thread(tmp_path):
    assert usable_cores(container(tmp_path, cpu_max="20000 100000")) == 1


def test_a_quota_beyond_the_cores_gets_the_cores(tmp_path):
    assert usable_cores(container(tmp_path, cpu_max="99900000 100000")) == len(os.sched_getaffinity(0))


def test_without_a_limit_there_is_a_thread_for_each_core(tmp_path):
    assert usable_cores(container(tmp_path, cpu_max="max 100000")) == len(os.sched_getaffinity(0))
    assert usable_cores(tmp_path / "nothing here") == len(os.sched_getaffinity(0))


def test_the_older_kind_of_quota_is_read_too(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")

    assert usable_cores(tmp_path) == 1


def choose(seconds, num_cores, caplog):
    """seconds: of one step, by its number of threads."""
    threads = []
    with caplog.at_level(logging.INFO, logger="serving"):
        best = choose_threads(num_cores, set_threads=threads.append, step=lambda: time.sleep(seconds[threads[-1]]))
    return best, threads


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 0.010, 2: 0.005, 3: 0.002}, 3),
        ({1: 0.005, 2: 0.010, 3: 0.020}, 1),
        ({1: 0.010, 2: 0.004, 3: 0.010}, 2),
        ({1: 0.010, 2: 0.010, 3: 0.010}, 1),
    ],
)
def test_the_fastest_number_of_threads_is_taken_and_the_smaller_of_equals(seconds, best, caplog):
    got, threads = choose(seconds, 3, caplog)

    assert got == threads[-1] == best
    assert f"threads: {best} of 3 cores (one step with each number of threads: 1: " in caplog.text


def test_one_core_needs_no_choice(caplog):
    assert choose({1: 0.0001}, 1, caplog)[0] == 1


def test_an_engine_that_has_measured_itself_answers_as_before(caplog):
    reference, model = make("Flan-T5", seed=5)
    one = engine(model)
    num_threads = torch.get_num_threads()
    try:
        with caplog.at_level(logging.INFO, logger="serving"):
            one.choose_threads(2)
        assert_equal(reference, run(one, some(6, seed=1)))
    finally:
        torch.set_num_threads(num_threads)

    assert "of 2 cores" in caplog.text
