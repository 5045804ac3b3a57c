"""The log of what endpoints answered."""

from contextlib import closing

import pytest

from localcloud.monitoring.predictions import Prediction, PredictionLog

ONE = Prediction(10.0, "projects/p/locations/l/endpoints/1", "42", 200, 1, 12.5, 10.0)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "predictions.jsonl"


def test_a_window_has_what_ended_after_its_start_and_not_after_its_end(file):
    with closing(PredictionLog(file)) as log:
        for ended in (9.0, 10.0, 11.0):
            log.add(ONE._replace(ended=ended))

        assert [one.ended for one in log.between(9.0, 10.0)] == [10.0]


def test_a_line_that_a_kill_left_half_written_costs_no_other(file):
    with closing(PredictionLog(file)) as log:
        log.add(ONE)
    whole = file.read_text()
    file.write_text(whole + '{"not": "ours"}\n' + whole.strip()[:20])

    with closing(PredictionLog(file)) as log:
        assert log.between(0, 100) == [ONE]
    assert file.read_text() == whole


def test_what_is_answered_after_the_end_is_lost_without_an_error(file):
    log = PredictionLog(file)
    log.close()
    log.add(ONE)

    assert file.read_text() == ""
