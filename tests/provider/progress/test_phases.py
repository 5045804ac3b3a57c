"""Phases told as they begin and while they last, with the median of past runs."""

import json
import os
import threading
import time

import pytest

from provider import local_state
from provider.progress import past_durations
from provider.progress import phases as module
from provider.progress.phases import Progress, clock
from tfplugin.resource import Stopped


@pytest.fixture(autouse=True)
def no_past(tmp_path, monkeypatch):
    monkeypatch.setenv("FLANSTACK_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "told" / "progress.jsonl"
    monkeypatch.setenv("FLANSTACK_PROGRESS_FILE", str(path))
    return path


def told(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def ran(phases, *, seconds, monkeypatch, **fields):
    """A past run whose phases took so long each."""
    now = [100.0]
    with monkeypatch.context() as clock_of_the_test:
        clock_of_the_test.setattr(module.time, "monotonic", lambda: now[0])
        one = Progress("vertex_thing", "e/1", **fields, started=100.0)
        for phase in phases:
            one.phase(phase)
            now[0] += seconds


@pytest.mark.parametrize(("seconds", "shown"), [(0, "00:00"), (372.9, "06:12"), (3599, "59:59"), (3972, "1:06:12")])
def test_a_time_is_shown_as_on_a_clock(seconds, shown):
    assert clock(seconds) == shown


def test_a_line_has_the_phase_its_time_and_what_is_usual(file, capsys):
    for seconds in (500.0, 580.0, 1000.0):
        key = past_durations.key_of("vertex_thing", "a2-highgpu-1g", "GETTING_CONTAINER_IMAGE")
        past_durations.add(past_durations.default_path(), key, seconds)
    one = Progress("vertex_thing", "e/1", machine="a2-highgpu-1g")
    one.phase("GETTING_CONTAINER_IMAGE", "20 GB")

    (line,) = told(file)
    assert (line["event"], line["phase"], line["usual_s"], line["message"]) == (
        "phase",
        "GETTING_CONTAINER_IMAGE",
        580.0,
        "20 GB",
    )
    assert one.told == "GETTING_CONTAINER_IMAGE 00:00, usually 09:40"
    assert "GETTING_CONTAINER_IMAGE 00:00, usually 09:40" in capsys.readouterr().err


def test_nothing_is_ever_told_to_stdout(file, capsys):
    Progress("vertex_thing", "e/1").phase("ONE")

    assert capsys.readouterr().out == ""


def test_a_phase_that_lasts_is_told_again_until_the_wait_ends(file, monkeypatch):
    monkeypatch.setattr(module, "BEAT_S", 0.05)
    one = Progress("vertex_thing", "e/1")
    one.phase("ONE")
    with one.heartbeats():
        time.sleep(0.5)
    told_then = len(told(file))
    time.sleep(0.2)

    beats = [line for line in told(file) if line["event"] == "beat"]
    assert 5 <= len(beats) <= 10
    assert {line["phase"] for line in beats} == {"ONE"}
    assert len(told(file)) == told_then
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("heartbeat")]


def test_the_beat_of_the_real_clock_is_at_most_30_s():
    assert module.BEAT_S <= 30


def test_a_beat_comes_only_when_nothing_was_told_for_so_long(file, monkeypatch):
    monkeypatch.setattr(module, "BEAT_S", 0.3)
    one = Progress("vertex_thing", "e/1")
    with one.heartbeats():
        for number in range(10):
            one.phase(f"PHASE {number}")
            time.sleep(0.05)

    assert [line["event"] for line in told(file)] == ["phase"] * 10


def test_a_pause_is_told_and_heeds_a_stop(file, monkeypatch):
    monkeypatch.setattr(module, "BEAT_S", 0.05)
    stop, one = threading.Event(), Progress("vertex_thing", "e/1")
    one.phase("DRAINING")
    one.wait(stop, 0.2)
    stop.set()
    with pytest.raises(Stopped):
        one.wait(stop, 60)

    assert len([line for line in told(file) if line["event"] == "beat"]) >= 2


def test_heartbeats_end_with_an_error_as_with_a_result(file):
    one = Progress("vertex_thing", "e/1")
    with pytest.raises(ValueError, match="no"), one.heartbeats():
        raise ValueError("no")

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("heartbeat")]


def test_a_run_becomes_a_measure_for_the_next_one_on_such_a_machine(file, monkeypatch):
    ran(["ONE", "TWO", "DONE"], seconds=60.0, monkeypatch=monkeypatch, machine="n1")
    shown = {}
    for machine, phase in (("n1", "TWO"), ("n2", "TWO"), ("n1", "DONE")):
        one = Progress("vertex_thing", "e/2", machine=machine)
        one.phase(phase)
        shown[machine, phase] = one.told

    assert shown == {
        ("n1", "TWO"): "TWO 00:00, usually 01:00",
        ("n2", "TWO"): "TWO 00:00",
        ("n1", "DONE"): "DONE 00:00",
    }


def test_a_local_cloud_is_no_measure_for_googles(file, monkeypatch):
    monkeypatch.setattr(past_durations, "_place", "google")
    past_durations.measure_at("http://127.0.0.1:8700")
    ran(["ONE", "TWO"], seconds=1.0, monkeypatch=monkeypatch)
    one = Progress("vertex_thing", "e/2")
    past_durations.measure_at(None)
    one.phase("ONE")

    assert one.told == "ONE 00:00"


def test_an_outage_is_no_measure_of_the_phase_it_interrupts(monkeypatch):
    ran(["ONE", "UNREACHABLE", "ONE", "TWO", "THREE"], seconds=60.0, monkeypatch=monkeypatch)
    held = {
        phase: past_durations.usual_s(past_durations.default_path(), past_durations.key_of("vertex_thing", "", phase))
        for phase in ("ONE", "UNREACHABLE", "TWO")
    }

    assert held == {"ONE": None, "UNREACHABLE": None, "TWO": 60.0}


def test_the_same_phase_of_another_resource_is_the_same_phase():
    one = past_durations.key_of("t", "m", "UNDEPLOYING 1234567890")

    assert one == past_durations.key_of("t", "m", "UNDEPLOYING 9876543210")
    assert one != past_durations.key_of("t", "m", "DRAINING 1234567890")
    assert past_durations.key_of("t", "", "DELETING projects/p/locations/l/models/m").endswith("|t||DELETING")
    assert past_durations.key_of("t", "", "WORKING step 2/3 gcr.io/x").endswith("|t||WORKING step 2/3 gcr.io/x")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"seconds": 3}', '{"seconds": {"k": ["x"]}}', "\x00\xff", '{"seconds": {"k": 1}}']
)
def test_a_broken_history_is_no_error_and_is_begun_anew(tmp_path, content):
    path = tmp_path / "durations.json"
    path.write_text(content)

    assert past_durations.usual_s(path, "k") is None
    past_durations.add(path, "k", 2.0)
    assert past_durations.usual_s(path, "k") == 2.0


def test_a_history_stays_small(tmp_path):
    path = tmp_path / "durations.json"
    for number in range(past_durations.MAX_KEYS + 20):
        past_durations.add(path, f"key {number}", 1.0)
    for number in range(past_durations.MAX_RUNS + 5):
        past_durations.add(path, "key 30", float(number))

    held = json.loads(path.read_text())["seconds"]
    assert len(held) == past_durations.MAX_KEYS
    assert "key 0" not in held
    assert held["key 30"] == [float(number) for number in range(5, past_durations.MAX_RUNS + 5)]
    assert path.stat().st_size < 100_000


def test_a_history_that_cannot_be_written_fails_nothing(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    past_durations.add(tmp_path / "file" / "durations.json", "k", 1.0)

    assert "cannot be written" in capsys.readouterr().err


def test_a_progress_file_that_has_grown_large_makes_room(file, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 2000)
    one = Progress("vertex_thing", "e/1")
    for number in range(50):
        one.phase(f"PHASE {number}")

    assert file.stat().st_size < 3000
    assert file.with_name("progress.jsonl.old").exists()
    assert told(file)[-1]["phase"] == "PHASE 49"


def test_the_folder_is_the_repositorys_for_all_of_its_stacks_else_the_users(tmp_path, monkeypatch):
    stack = tmp_path / "repo" / "cdktf.out" / "stacks" / "endpoint"
    stack.mkdir(parents=True)
    monkeypatch.delenv("FLANSTACK_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(stack)

    assert local_state.folder() == tmp_path / "state" / "flanstack"
    (tmp_path / "repo" / ".flanstack").mkdir()
    assert local_state.folder() == tmp_path / "repo" / ".flanstack"
    assert local_state.progress_file() == tmp_path / "repo" / ".flanstack" / "progress.jsonl"
    with monkeypatch.context() as somebody_else:
        somebody_else.setattr(os, "getuid", lambda: 4242)
        assert local_state.folder() == tmp_path / "state" / "flanstack"
    monkeypatch.setenv("FLANSTACK_STATE_DIR", str(tmp_path / "mine"))
    assert local_state.folder() == tmp_path / "mine"


def test_no_home_and_a_working_directory_that_is_gone_fail_nothing(tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for name in ("FLANSTACK_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Progress("vertex_thing", "e/1").phase("ONE")

    assert "ONE 00:00" in capsys.readouterr().err
