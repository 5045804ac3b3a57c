"""The log of what endpoints answered."""

from localcloud.monitoring.predictions import Prediction, PredictionLog

ONE = Prediction(10.0, "projects/p/locations/l/endpoints/1", "42", 200, 1, 12.5, 10.0)


def test_a_window_has_what_ended_after_its_start_and_not_after_its_end(tmp_path):
    log = PredictionLog(tmp_path / "predictions.jsonl")
    for ended in (9.0, 10.0, 11.0):
        log.add(ONE._replace(ended=ended))

    assert [one.ended for one in log.between(9.0, 10.0)] == [10.0]


def test_a_line_that_a_kill_left_half_written_costs_no_other(tmp_path):
    file = tmp_path / "predictions.jsonl"
    PredictionLog(file).add(ONE)
    whole = file.read_text()
    file.write_text(whole + '{"not": "ours"}\n' + whole.strip()[:20])

    log = PredictionLog(file)
    assert log.between(0, 100) == [ONE]
    assert file.read_text() == whole


def test_what_is_answered_after_the_end_is_lost_without_an_error(tmp_path):
    log = PredictionLog(tmp_path / "predictions.jsonl")
    log.close()
    log.add(ONE)

    assert (tmp_path / "predictions.jsonl").read_text() == ""
