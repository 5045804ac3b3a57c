import pytest

from serving.scheduling.pace import Pace


def test_nothing_is_promised_before_anything_has_ended():
    pace = Pace()
    pace.record(num_ended=0, seconds=3)

    assert pace.seconds_for(100) == 0


def test_the_pace_is_that_of_late_and_follows_a_change():
    pace = Pace()
    for _ in range(100):
        pace.record(num_ended=2, seconds=1)
    assert pace.seconds_for(10) == pytest.approx(5)

    for _ in range(90):
        pace.record(num_ended=1, seconds=1)
    assert pace.seconds_for(10) == pytest.approx(10, rel=0.1)


def test_steps_in_which_nobody_ended_count_as_time():
    pace = Pace()
    for step in range(1000):
        pace.record(num_ended=int(step % 10 == 9), seconds=0.01)

    assert pace.seconds_for(10) == pytest.approx(1, rel=0.05)
