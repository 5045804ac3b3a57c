"""Progress shown to people, beside the program that applies or around it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provider.progress.follow import Follower, parse, show

ROOT = Path(__file__).resolve().parents[3]
PROVIDER = [sys.executable, "-m", "provider", "progress"]


def line(phase, **fields):
    event = {"time": datetime.now(UTC).isoformat(), "event": "phase", "resource": "vertex_thing", "id": "e/1"}
    return json.dumps(event | {"phase": phase, "phase_s": 372.0, "elapsed_s": 843.0, "usual_s": 580.0, **fields}) + "\n"


def phases(follower):
    return [event.phase for event in follower.new()]


def test_an_event_is_shown_with_everything_it_has():
    shown = parse(line("GETTING_CONTAINER_IMAGE", machine="a2-highgpu-1g", message="20 GB")).line

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  vertex_thing e/1 on a2-highgpu-1g  GETTING_CONTAINER_IMAGE 06:12, usually 09:40 "
        r"\(14:03 in all\)  20 GB",
        shown,
    )


@pytest.mark.parametrize("text", ["", "no json", "[]", "3", "{}", '{"phase": 1}', "null"])
def test_a_line_that_is_no_event_is_passed_over(text):
    assert parse(text) is None


def test_a_follower_shows_what_comes_and_waits_for_the_rest_of_half_a_line(tmp_path):
    path = tmp_path / "progress"
    path.write_text(line("OLD"))
    follower = Follower(path)

    assert phases(follower) == []
    with path.open("a") as out:
        out.write(line("ONE") + line("TWO")[:20])
        out.flush()
        assert phases(follower) == ["ONE"]
        out.write(line("TWO")[20:])
    assert phases(follower) == ["TWO"]


def test_a_follower_goes_on_with_a_file_that_comes_later_or_is_replaced_or_cut(tmp_path):
    path = tmp_path / "progress"
    follower = Follower(path)

    assert phases(follower) == []
    path.write_text(line("ONE"))
    assert phases(follower) == ["ONE"]
    path.rename(tmp_path / "old")
    path.write_text(line("TWO"))
    assert phases(follower) == ["TWO"]
    path.write_text("")
    assert phases(follower) == []
    path.write_text(line("3"))
    assert phases(follower) == ["3"]


def test_without_follow_the_last_line_of_each_resource_is_shown(tmp_path):
    path, out = tmp_path / "progress", io.StringIO()
    path.write_text(
        line("ONE") + line("TWO") + line("OTHER", id="e/2") + line("LONG AGO", id="e/3", time="2026-01-01T00:00:00Z")
    )

    assert show(path, follow=False, command=[], out=out) == 0
    assert [text.split("  ")[2].split()[0] for text in out.getvalue().splitlines()] == ["TWO", "OTHER"]


def test_silence_is_said(tmp_path):
    out = io.StringIO()

    assert show(tmp_path / "nothing", follow=False, command=[], out=out) == 0
    assert "has told nothing within the last minute" in out.getvalue()


def test_following_beside_shows_what_is_told_and_ends_with_ctrl_c(tmp_path):
    path = tmp_path / "progress"
    with subprocess.Popen(
        [*PROVIDER, "--follow", "--file", str(path)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "Following" in process.stderr.readline()
        time.sleep(0.3)
        path.write_text(line("ONE"))
        assert "ONE 06:12, usually 09:40" in process.stderr.readline()
        process.send_signal(signal.SIGINT)

        assert process.wait(10) == 0


TELL = """
import sys
from provider.progress.phases import Progress
Progress("vertex_thing", "e/1").phase("ONE")
print("what terraform says")
sys.exit(3)
"""


def test_a_command_run_inside_is_shown_with_its_progress_and_ends_as_it_does():
    done = subprocess.run(
        [*PROVIDER, "--", sys.executable, "-c", TELL], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 3
    assert done.stdout == "what terraform says\n"
    assert "vertex_thing e/1  ONE 00:00" in done.stderr


def test_a_command_that_is_not_there_is_said():
    done = subprocess.run([*PROVIDER, "--", "no-such-program"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 127
    assert "no-such-program cannot be run: No such file or directory." in done.stderr


SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
print("runs", flush=True)
time.sleep(30)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 7), (signal.SIGTERM, 143)])
def test_an_interrupt_is_the_commands_to_answer(number, code):
    command = [*PROVIDER, "--", sys.executable, "-c", SLOW]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        process.stdout.readline()
        time.sleep(0.3)
        # As a terminal does: Ctrl-C goes to everybody. A TERM goes to one.
        os.killpg(process.pid, number) if number == signal.SIGINT else process.terminate()

        assert process.wait(10) == code


@pytest.mark.e2e
def test_an_apply_run_inside_shows_its_phases(workspace, cloud):
    spec = {"image_uri": cloud.image(), "predict_route": "/predict", "health_route": "/health"}
    folder = workspace("shown").write(model={"model_id": "shown", "display_name": "Shown", "container_spec": [spec]})
    environment = {key: text for key, text in folder.environment.items() if key != "FLANSTACK_PROGRESS_FILE"}
    (launcher,) = (folder.folder / "terraform.d").rglob("terraform-provider-vertex_v*")
    command = [launcher, "progress", "--", "terraform", "apply", "-auto-approve", "-input=false", "-no-color"]
    done = subprocess.run(
        command, cwd=folder.folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Apply complete! Resources: 1 added" in done.stdout
    assert "vertex_model Shown  UPLOADING 00:00" in done.stderr
    assert "vertex_model Shown  UPLOADED 00:00" in done.stderr


@pytest.mark.e2e
def test_a_second_apply_knows_how_long_the_first_one_took(workspace, cloud, faults):
    folder = workspace("again")
    folder.environment |= {"FLANSTACK_STATE_DIR": str(folder.folder / "state")}
    faults({"operation": "uploadModel", "stage": "INGESTING_IMAGE"}, {"delay_s": 1.0})
    for version in ("1", "2"):
        spec = {"image_uri": cloud.image(version), "predict_route": "/predict", "health_route": "/health"}
        folder.write(model={"model_id": "again", "display_name": "Again", "container_spec": [spec]})
        folder.apply()

    lines = [json.loads(text) for text in folder.progress_file.read_text().splitlines()]
    usual = [one["usual_s"] for one in lines if one["phase"] == "UPLOADING"]
    assert usual[0] is None
    assert 1.0 <= usual[-1] < 10
