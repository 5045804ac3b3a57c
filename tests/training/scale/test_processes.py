"""Several processes on this machine's CPU, as torchrun starts them: gloo in place of NCCL."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = (
    "data.max_train=48", "data.max_validation=7", "data.max_test=7", "optimizer.epochs=2",
    "optimizer.learning_rate=0.002", "optimizer.checkpoint_every=2",
)  # fmt: skip
# What float32 sums in another order come to after twelve updates of Adam: a twentieth of one update at this rate.
TOLERANCE = 1e-4


@pytest.fixture
def start(tmp_path):
    started = []

    def start_(name, *changes, processes=1):
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [sys.executable, *(torchrun if processes > 1 else []), "-m", "training", "fine-tune"]
        command += ["--threads", "1", "--folder", str(tmp_path / name)]
        command += [argument for change in (*SETTINGS, *changes) for argument in ("--set", change)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )  # fmt: skip
        return started[-1]

    yield start_
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def finish(process):
    said, _ = process.communicate(timeout=110)
    assert process.returncode == 0, said
    return said


def outcome(folder):
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    return (metrics["validation"], metrics["test"]), load_file(folder / "model" / "model.safetensors")


@pytest.mark.slow
def test_two_processes_train_the_model_that_one_does_with_the_same_records_per_update(start, tmp_path):
    two = start("two", "optimizer.batch=4", processes=2)
    finish(start("one", "optimizer.batch=8"))
    finish(start("accumulated", "optimizer.batch=2", "optimizer.accumulation=4"))
    said = finish(two)

    assert said.count("generated-dialogues: 48 + 7 + 7 records") == 1
    figures, weights = outcome(tmp_path / "one")
    for name in ("two", "accumulated"):
        others, other_weights = outcome(tmp_path / name)
        assert others == figures
        assert max(float((weights[key] - other_weights[key]).abs().max()) for key in weights) < TOLERANCE


@pytest.mark.slow
def test_both_processes_stop_at_the_same_step_with_a_checkpoint(start, tmp_path):
    first = start("run", "optimizer.batch=4", processes=2)
    wanted = tmp_path / "run" / "checkpoints" / "checkpoint-2" / "trainer_state.json"
    deadline = time.monotonic() + 60
    while not wanted.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    said, _ = first.communicate(timeout=60)

    assert first.returncode != 0
    assert "stopped by SIGTERM with a checkpoint at step" in said
    assert not (tmp_path / "run" / "model").exists()
