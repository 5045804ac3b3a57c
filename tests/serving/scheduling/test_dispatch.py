"""The engine's thread over a real scheduler, with engines that misbehave on purpose."""

import math
import queue
import threading
import time

import pytest

from serving.errors import ClientGone, NotReady
from serving.request import ValidRequest
from serving.scheduler import Scheduler
from serving.scheduling.dispatch import Dispatcher
from serving.scheduling.waiting import WaitingLine
from tests.serving.words import Words


class CountingEngine:
    """One token per step and sequence, as a continuous engine would; waits for `gate` before each step."""

    def __init__(self):
        self.gate = threading.Semaphore(0)
        self.batches = []
        self.failures = []

    def open(self):
        for _ in range(1000):
            self.gate.release()

    def step(self, running):
        self.gate.acquire()
        self.batches.append([s.id for s in running])
        if self.failures:
            raise self.failures.pop()
        for sequence in running:
            sequence.accept(len(sequence.output_ids) + 1, is_eos=False, now=time.monotonic())


@pytest.fixture
def engine():
    return CountingEngine()


@pytest.fixture
def broken():
    return []


@pytest.fixture
def dispatcher(engine, broken):
    def check(checked):
        if checked.failures:
            raise checked.failures.pop()

    line = WaitingLine(max_sequences=8, max_tokens=1000)
    dispatcher = Dispatcher(
        Scheduler(line, max_batch_size=2, max_batch_tokens=100), check=check, on_broken=broken.append
    )
    dispatcher.start(engine)
    yield dispatcher
    engine.open()
    dispatcher.abort(NotReady("test over"))


def submit(dispatcher, *, new=(2,), deadline=math.inf):
    events = queue.Queue()
    requests = [ValidRequest(prompt_ids=(1,), max_new_tokens=n) for n in new]
    sequences = dispatcher.submit(
        requests, tokenizer=Words(), deadline=deadline, listener=lambda i: lambda event: events.put((i, event))
    )
    return sequences, events


def test_a_newcomer_joins_as_soon_as_a_sequence_has_ended(dispatcher, engine):
    _, events = submit(dispatcher, new=(1, 3, 1))
    engine.open()

    got = dict(events.get(timeout=5) for _ in range(3))

    assert {index: completion.text for index, completion in got.items()} == {0: "1", 1: "1 2 3", 2: "1"}
    assert engine.batches == [[1, 2], [2, 3], [2]]


def test_a_failed_batch_gives_each_of_its_requests_one_error_and_spares_the_next(dispatcher, engine):
    engine.failures = [RuntimeError("boom")]
    _, failed = submit(dispatcher)
    engine.open()
    _, error = failed.get(timeout=5)

    _, answered = submit(dispatcher)
    _, completion = answered.get(timeout=5)

    assert (error.reason, completion.text) == ("engine_failed", "1 2")
    assert failed.empty()


def test_an_engine_that_does_not_recover_ends_all_requests_and_is_reported(dispatcher, engine, broken):
    engine.failures = [RuntimeError("still broken"), RuntimeError("boom")]
    _, events = submit(dispatcher, new=(2, 2, 2))
    engine.open()

    errors = [events.get(timeout=5)[1].reason for _ in range(3)]

    assert sorted(errors) == ["engine_failed", "engine_failed", "not_ready"]
    assert broken == ["RuntimeError: still broken"]
    with pytest.raises(NotReady, match="failed for good"):
        submit(dispatcher)


def test_a_cancelled_sequence_ends_at_once_when_it_waits_and_at_its_next_token_when_it_runs(dispatcher, engine):
    runs, events = submit(dispatcher, new=(40, 40))
    waits, later = submit(dispatcher, new=(40,))
    while not dispatcher.scheduler.running:
        time.sleep(0.001)

    dispatcher.cancel(waits, ClientGone("left"))
    assert later.get(timeout=5)[1].reason == "client_gone"
    dispatcher.cancel(runs, ClientGone("left"))
    engine.gate.release()

    assert [events.get(timeout=5)[1].reason for _ in range(2)] == ["client_gone", "client_gone"]
    assert engine.batches == [[1, 2]]


def test_what_waited_beyond_its_deadline_is_never_started(dispatcher, engine):
    submit(dispatcher, new=(1, 1))
    _, events = submit(dispatcher, deadline=time.monotonic())
    engine.open()

    assert events.get(timeout=5)[1].reason == "deadline_exceeded"
    assert [3] not in engine.batches


def test_a_stopped_dispatcher_refuses_newcomers_and_finishes_what_it_accepted(dispatcher, engine):
    _, events = submit(dispatcher, new=(2, 2, 2))
    dispatcher.stop(NotReady("going away"))

    with pytest.raises(NotReady, match="going away"):
        submit(dispatcher)
    engine.open()

    assert [events.get(timeout=5)[1].text for _ in range(3)] == ["1 2"] * 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_thread_that_dies_ends_all_requests_and_is_reported(dispatcher, engine, broken):
    engine.failures = [SystemExit("a library thinks that it is in charge")]
    _, events = submit(dispatcher, new=(2, 2, 2))
    engine.open()

    assert [events.get(timeout=5)[1].reason for _ in range(3)] == ["not_ready"] * 3
    dispatcher._thread.join(5)  # its last words are this test's
    assert broken == ["the engine's thread has died"]
    with pytest.raises(NotReady, match="the engine has died"):
        submit(dispatcher)


def test_a_stuck_engine_is_given_up_and_its_requests_end_without_it(dispatcher, engine):
    _, events = submit(dispatcher, new=(2, 2, 2))  # nobody opens the gate
    wait_until(lambda: len(dispatcher.scheduler.running) == 2)
    before = dispatcher.progress

    dispatcher.give_up(NotReady("stuck"))
    errors = [events.get(timeout=5)[1].reason for _ in range(3)]
    engine.open()

    assert errors == ["not_ready"] * 3
    assert before is not None
    wait_until(lambda: dispatcher.progress is None)
    assert events.empty()


def wait_until(is_true):
    end = time.monotonic() + 5
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.005)
