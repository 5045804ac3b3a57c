"""A pool over a real nursery and real worker processes: exact, whatever comes and goes, and whoever dies."""

import math
import os
import signal
import time

import pytest

from serving.checkpoint.errors import CheckpointError
from serving.checkpoint.folder import Wanted, load
from serving.engine.continuous.t5_engine import T5Engine
from serving.engine.memory import Room
from serving.engine.protocol import BatchFailed
from serving.errors import ClientGone
from serving.request import Beams, Sampling, ValidRequest
from serving.sequence import Sequence
from serving.workers.messages import Settings
from serving.workers.nursery_process import NurseryProcess
from serving.workers.pool import WorkerFailed, WorkerPool

ROOM = Room(max_batch_size=8, max_source=32, max_target=64, max_beams=6)


class Quiet:
    """Progress that nobody hears."""

    def enter(self, phase, *, total_bytes=None):
        pass

    def advance(self, num_bytes):
        pass


def start(folder, *, num_workers=2):
    wanted = Wanted(ROOM, device="cpu", num_engines=num_workers)
    return NurseryProcess(Settings(folder, wanted, ((num_workers, 1),), "warning", "text"))


def layout_of(nursery):
    nursery.wait_loaded(Quiet())
    return nursery.choose_layout()


@pytest.fixture(scope="module")
def loaded_nursery(tiny):
    nursery = start(tiny)
    yield nursery, layout_of(nursery)
    nursery.close()


@pytest.fixture
def pool(loaded_nursery):
    nursery, layout = loaded_nursery
    pool = WorkerPool(layout, hire=nursery.hire, stall_s=2)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def checkpoint(tiny):
    return load(tiny, Wanted(ROOM, device="cpu"), progress=Quiet())


@pytest.fixture
def ask(checkpoint):
    def make(number, *, length=12, **options):
        prompt = tuple(3 + (number * 31 + i * 7) % 90 for i in range(4 + number % 9))
        request = ValidRequest(prompt_ids=(*prompt, 1), max_new_tokens=length, **options)
        return Sequence(number, request, tokenizer=checkpoint.tokenizer, deadline=math.inf, listener=lambda event: None)

    return make


def run(engine, arrivals):
    """Steps until all have ended; `arrivals` says who comes at which step."""
    running, step = [], 0
    while running or arrivals:
        running += arrivals.pop(step, [])
        if running:
            engine.step(running)
        running = [sequence for sequence in running if not sequence.is_ended]
        step += 1


def step_on(pool, running):
    """As the dispatcher goes on with those who have not ended."""
    while True:
        pool.step([sequence for sequence in running if not sequence.is_ended])


def test_tokens_are_those_of_one_engine_whatever_worker_made_them(pool, checkpoint, ask):
    def crowd():
        greedy = [ask(number, length=8 + 5 * number) for number in range(6)]
        drawn = [ask(10 + n, length=15, sampling=Sampling(temperature=0.8, seed=n), num_logprobs=2) for n in range(4)]
        return {0: greedy[:2], 2: greedy[2:] + drawn[:1], 5: drawn[1:]}, greedy + drawn

    arrivals, together = crowd()
    run(pool, arrivals)
    alone = crowd()[1]
    engine = T5Engine.for_model(checkpoint, num_slots=1, num_threads=1)
    for sequence in alone:
        run(engine, {0: [sequence]})

    assert [sequence.output_ids for sequence in together] == [sequence.output_ids for sequence in alone]
    assert [sequence.outcome for sequence in together] == [sequence.outcome for sequence in alone]


def test_newcomers_go_to_the_worker_with_the_least_to_do(pool, ask):
    running = [ask(number, length=60) for number in range(5)]
    pool.step(running)

    assert sorted(len(worker.sequences) for worker in pool.workers) == [2, 3]


def test_a_beam_counts_as_a_sequence_where_work_is_shared_out(pool, ask):
    pool.step([ask(1, length=60, beams=Beams(3)), ask(2, length=60), ask(3, length=60)])

    assert sorted([one.id for one in worker.sequences.values()] for worker in pool.workers) == [[1], [2, 3]]


def test_beam_searches_find_the_same_in_workers_each_of_which_has_room_for_the_widest(pool, checkpoint, ask):
    def crowd():
        wide = [ask(number, length=9 + number, beams=Beams(6)) for number in range(3)]
        return wide + [ask(10 + number, length=20) for number in range(3)] + [ask(20, beams=Beams(2, 0.0, "never"))]

    together, alone = crowd(), crowd()
    run(pool, {0: together[:3], 3: together[3:]})
    engine = T5Engine.for_model(checkpoint, num_slots=6, num_threads=1)
    for sequence in alone:
        run(engine, {0: [sequence]})

    assert [sequence.outcome for sequence in together] == [sequence.outcome for sequence in alone]
    assert all(sequence.output_ids for sequence in together)


def test_a_search_that_is_cancelled_ends_before_it_has_a_token(pool, ask):
    gone, stays = ask(1, length=60, beams=Beams(6)), ask(2, length=20)
    for _ in range(4):
        pool.step([gone, stays])
    gone.cancel(ClientGone("left"))
    run(pool, {0: [gone, stays]})

    assert isinstance(gone.outcome, ClientGone)
    assert gone.output_ids == []
    assert gone.num_steps < 60
    assert not any(worker.sequences for worker in pool.workers)


def test_a_worker_that_works_alone_may_have_the_idle_ones_threads(loaded_nursery, ask):
    nursery, layout = loaded_nursery
    pool = WorkerPool(type(layout)(2, 1, alone_threads=2), hire=nursery.hire, stall_s=2)
    first, second = ask(1, length=60), ask(2, length=5)
    threads = []
    pool.step([first])
    threads.append(pool.workers[0].num_threads)
    pool.step([first, second])
    threads.append(pool.workers[0].num_threads)
    run(pool, {0: [second], 1: [first]})
    pool.close()

    assert threads == [2, 1]


def test_a_worker_that_dies_fails_its_own_sequences_alone_and_is_replaced(pool, ask):
    running = [ask(number, length=60) for number in range(4)]
    pool.step(running)
    dead = pool.workers[0]
    lost = list(dead.sequences.values())
    os.kill(dead.pid, signal.SIGKILL)
    started = time.monotonic()
    with pytest.raises(BatchFailed) as failure:
        step_on(pool, running)

    assert time.monotonic() - started < 1
    assert failure.value.sequences == lost
    assert dead.pid not in [worker.pid for worker in pool.workers]
    assert len(pool.workers) == 2
    rest = [sequence for sequence in running if sequence not in lost]
    run(pool, {0: [*rest, ask(9)]})
    assert all(len(sequence.output_ids) for sequence in rest)


def test_a_worker_that_dies_idle_fails_nobody(pool, ask):
    for worker in list(pool.workers):
        os.kill(worker.pid, signal.SIGKILL)
    time.sleep(0.2)
    sequence = ask(1)
    run(pool, {0: [sequence]})

    assert len(sequence.output_ids) == 12
    assert pool.num_replaced == 2


def test_a_worker_whose_last_report_nobody_reads_is_not_taken_for_dead(pool, ask):
    for number in range(8):
        pool.step([ask(number, length=60)])  # the one before is dropped while its worker is in a step
        time.sleep(0.02)
    run(pool, {0: [ask(9)]})

    assert pool.num_replaced == 0


def test_a_worker_that_hangs_is_killed_and_replaced(pool, ask):
    running = [ask(1, length=60), ask(2, length=60)]
    pool.step(running)
    hung = pool.workers[0]
    (lost,) = hung.sequences.values()
    os.kill(hung.pid, signal.SIGSTOP)
    with pytest.raises(BatchFailed) as failure:
        step_on(pool, running)

    assert failure.value.sequences == [lost]
    assert hung.pid not in [worker.pid for worker in pool.workers]


def test_a_cancelled_sequence_leaves_its_worker_at_once(pool, ask):
    gone, stays = ask(1, length=64), ask(2, length=64)
    gone.cancel(ClientGone("nobody waits"))
    while not gone.is_ended:
        pool.step([gone, stays])

    assert isinstance(gone.outcome, ClientGone)
    assert gone.output_ids == []
    assert gone not in [sequence for worker in pool.workers for sequence in worker.sequences.values()]


def test_without_a_nursery_no_worker_is_left_and_the_pool_says_so(tiny, ask):
    nursery = start(tiny)
    pool = WorkerPool(layout_of(nursery), hire=nursery.hire, stall_s=2)
    pids = [worker.pid for worker in pool.workers]
    running = [ask(1, length=60), ask(2, length=60)]
    pool.step(running)
    os.kill(nursery.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20  # its workers die with it, a moment later
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not any(is_alive(pid) for pid in pids)
    with pytest.raises((BatchFailed, WorkerFailed)):  # the second when both had ended before the signal came
        step_on(pool, running)
    with pytest.raises((BatchFailed, WorkerFailed)):  # a step may notice only one of the two
        pool.step([ask(3)])
    with pytest.raises(WorkerFailed, match="no worker process is left"):
        pool.step([ask(4)])
    pool.close()
    nursery.close()


def test_closing_leaves_no_process(tiny):
    nursery = start(tiny)
    pool = WorkerPool(layout_of(nursery), hire=nursery.hire, stall_s=2)
    pids = [nursery.pid, *(worker.pid for worker in pool.workers)]
    assert all(is_alive(pid) for pid in pids)
    pool.close()
    nursery.close()

    assert not any(is_alive(pid) for pid in pids)


def test_a_folder_that_does_not_load_is_told_in_its_words(tmp_path):
    nursery = start(tmp_path)
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        nursery.wait_loaded(Quiet())
    nursery.close()


def is_alive(pid):
    """A killed process whose parent has not asked for it yet is gone as well."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_nursery_that_dies_before_it_has_a_layout_says_how_it_ended(tiny):
    nursery = start(tiny)
    nursery.wait_loaded(Quiet())
    os.kill(nursery.pid, signal.SIGKILL)

    with pytest.raises(CheckpointError, match="was killed by signal 9 while layouts were measured"):
        nursery.choose_layout()
    nursery.close()
