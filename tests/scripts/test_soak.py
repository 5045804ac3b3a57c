"""Half a minute of `python -m scripts.soak`; the ten minutes are for a quiet machine."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scripts.soak import Soak, growth, verdict

ROOT = Path(__file__).parents[2]
LEVEL = {"serving_requests_received_total": 9, "serving_requests_succeeded_total": 7, "serving_requests_running": 0}
FAILED = {'serving_requests_failed_total{reason="overloaded"}': 2}


@pytest.mark.slow
def test_half_a_minute_of_everything_loses_no_request_and_no_memory():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.soak", "--seconds", "30"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "LOST" not in done.stdout
    for kind in ("whole 200", "stream 200", "left", "bad 422", "late "):
        assert kind in done.stdout


def test_growth_lost_requests_and_wrong_sums_are_told():
    soak = Soak("", ended=Counter({"whole 200": 7}), memory_mb=[500.0] * 30, num_fds=[20] * 30)
    assert verdict(soak, LEVEL | FAILED) == []

    soak.ended["LOST: whole: TimeoutError"] = 1
    soak.memory_mb[20:] = [560.0] * 10
    soak.num_fds[20:] = [90] * 10
    problems = verdict(soak, LEVEL)

    assert problems == [
        "1 x LOST: whole: TimeoutError",
        "9 requests received, 7 ended",
        "memory grew by 60.0 MB; at most 24 are allowed",
        "open files grew by 70; at most 4 are allowed",
    ]


def test_growth_leaves_out_the_first_third_in_which_everything_fills():
    assert growth([100.0] * 10 + [300.0] * 10 + [301.0] * 10) == 1
    assert growth([1, 2]) == 0


def test_a_server_elsewhere_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.soak", "--url", "http://192.0.2.1:7080"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "must be on this machine" in done.stderr
