import threading
import time

from serving.scheduling.watchdog import Watchdog


def watch(progress, *, stall_s=0.2):
    stalled = threading.Event()
    watchdog = Watchdog(progress, stall_s=stall_s, on_stall=stalled.set)
    watchdog.start()
    return watchdog, stalled


def test_work_that_stands_still_is_reported_once_its_time_is_over():
    started = time.monotonic()
    _, stalled = watch(lambda: 7)

    assert stalled.wait(5)
    assert 0.2 <= time.monotonic() - started < 2


def test_work_that_moves_and_an_idle_engine_are_not_reported():
    moving = iter(range(10_000))
    watchdogs = [watch(lambda: next(moving)), watch(lambda: None)]

    time.sleep(0.6)

    assert not any(stalled.is_set() for _, stalled in watchdogs)
    for watchdog, _ in watchdogs:
        watchdog.stop()


def test_a_stopped_watchdog_reports_nothing():
    watchdog, stalled = watch(lambda: 7)
    watchdog.stop()

    assert not stalled.wait(0.5)
