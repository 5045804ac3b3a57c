"""The command as Vertex AI runs it: a process of its own, its folders in the environment, killed at will."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from training.__main__ import main
from training.buckets.place import bucket_folder
from training.config.places import Places
from training.tuning.checkpoints import whole as whole_checkpoints
from training.tuning.interruption import StopRequest
from training.tuning.run import fine_tune

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The model folder of a run in one piece."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    fine_tune(config(), Places.of(folder, environment={}), stop=StopRequest(), tell=lambda text: None)
    return folder / "model"


@pytest.fixture
def command(small, tmp_path):
    """Starts a training in `tmp_path`/NAME; the environment may be added to."""
    started = []

    def start(name, **environment):
        arguments = [sys.executable, "-m", "training", "fine-tune", "--threads", "1", "--folder", str(tmp_path / name)]
        arguments += [argument for change in small for argument in ("--set", change)]
        started.append(
            subprocess.Popen(
                arguments, cwd=ROOT, env={**os.environ, **environment}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finished(process, code=0):
    out, err = process.communicate(timeout=100)
    assert process.returncode == code, out + err
    return out + err


def wait_for(process, path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def figures(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    return metrics["validation"], metrics["test"]


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_and_figures_of_one_in_a_piece(command, tmp_path, whole):
    first = command("run")
    wait_for(first, tmp_path / "run" / "checkpoints" / "checkpoint-4")  # checkpoint-3 is complete
    first.kill()
    assert first.wait(20) == -signal.SIGKILL

    state = json.loads((whole_checkpoints(tmp_path / "run" / "checkpoints")[-1] / "trainer_state.json").read_text())
    (before,) = state["stateful_callbacks"]["Stopwatch"]["attributes"]["earlier"]

    started = time.monotonic()
    assert ", attempt 2" in finished(command("run"))
    second = time.monotonic() - started

    metrics = json.loads((tmp_path / "run" / "model" / "metrics.json").read_text())
    assert metrics["attempts"] == 2
    assert before < metrics["seconds"] < before + second
    assert f"{metrics['seconds']:.0f} s in 2 attempts" in (tmp_path / "run" / "model" / "README.md").read_text()
    assert figures(tmp_path / "run" / "model") == figures(whole)
    weights = tmp_path / "run" / "model" / "model.safetensors"
    assert weights.read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("bucket", ["gs"], indirect=True)
def test_another_machine_goes_on_from_the_checkpoint_in_the_bucket_and_delivers_there(command, tmp_path, bucket, whole):
    places = {
        "AIP_MODEL_DIR": f"{bucket}/model/", "AIP_CHECKPOINT_DIR": f"{bucket}/checkpoints/",
        "AIP_TENSORBOARD_LOG_DIR": f"{bucket}/logs/",
    }  # fmt: skip
    checkpoints, model = bucket_folder(places["AIP_CHECKPOINT_DIR"]), bucket_folder(places["AIP_MODEL_DIR"])
    first = command("one", **places)
    wait_for(first, tmp_path / "one" / "checkpoints" / "checkpoint-3" / "trainer_state.json")
    first.send_signal(signal.SIGTERM)
    said = finished(first, 143)
    step = said.rpartition("stopped by SIGTERM with a checkpoint at step ")[2].partition(";")[0]
    shutil.rmtree(tmp_path / "one")

    assert f"going on from checkpoint-{step}" in finished(command("two", **places))

    model.get_all(tmp_path / "back")
    assert {"config.json", "model.safetensors", "tokenizer.json", "metrics.json"} <= set(model.files())
    assert figures(tmp_path / "back") == figures(whole)
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert any("tfevents" in path for path in bucket_folder(places["AIP_TENSORBOARD_LOG_DIR"]).files())
    assert {path.split("/")[0] for path in checkpoints.files()} == {"task.json", "checkpoint-8", "checkpoint-4"}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command in this process; returns its exit code."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run_(*changes, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        arguments = [argument for change in changes for argument in ("--set", change)]
        monkeypatch.setattr(sys, "argv", ["training", "fine-tune", "--folder", str(tmp_path / "run"), *arguments])
        return main()

    yield run_
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["optimizer.epoch=3"], "training: optimizer.epoch is not known"),
        (["data.source=/nowhere.jsonl"], "training: data.source '/nowhere.jsonl' does not exist"),
        (["model.base=gs:///no-bucket"], "training: model.base: 'gs:///no-bucket' names no bucket"),
    ],
)
def test_a_bad_configuration_ends_with_two_and_says_what_is_wrong(run, capsys, changes, words):
    assert run("data.max_train=20", *changes) == 2

    assert words in capsys.readouterr().err


def test_checkpoints_of_other_settings_are_not_gone_on_from(run, capsys, small, tmp_path):
    folder = tmp_path / "run" / "checkpoints" / "checkpoint-3"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text("{}")
    (folder.parent / "task.json").write_text('{"optimizer.learning_rate": 0.5}')

    assert run(*small) == 2

    said = capsys.readouterr().err
    assert "are of a training with" in said
    assert "start anew with --fresh" in said


def test_a_bucket_that_cannot_be_written_ends_with_one(run, capsys, small, cloud_storage):
    assert (
        run(*small, "optimizer.max_steps=1", AIP_MODEL_DIR="gs://nobody/model", STORAGE_EMULATOR_HOST=cloud_storage)
        == 1
    )

    assert "gs://nobody/model/" in capsys.readouterr().err
