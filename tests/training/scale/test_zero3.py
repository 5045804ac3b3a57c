"""ZeRO-3 for real, on this machine's CPU: DeepSpeed as the image's lock pins it, two processes, gloo in place of NCCL.

DeepSpeed is in the image alone, so it gets an environment of its own beside the project's packages. On a CPU, unlike on
a GPU, it compiles one operation of its own at the first start.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[3]
LOCK = (ROOT / "training" / "requirements.lock").read_text()
KEPT = ROOT / ".flanstack" / "training"
NEEDS = ("deepspeed", "einops", "hjson", "ninja", "py-cpuinfo")  # what the project's own environment lacks
# The XXL task as it ships, save what it learns from and how much.
SMALL = (
    "model.base=models/dialogue-t5-mini", "data.source=generated", "data.max_train=48", "data.max_validation=7",
    "data.max_test=7", "optimizer.epochs=2", "optimizer.learning_rate=0.002", "generation.max_new_tokens=24",
)  # fmt: skip
TOLERANCE = 1e-4  # as of two processes without ZeRO-3: tests/training/scale/test_processes.py

pytestmark = [
    pytest.mark.clients,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("c++") is None, reason="DeepSpeed on a CPU needs a C++ compiler"),
]


@pytest.fixture(scope="module")
def python():
    """Of an environment with DeepSpeed, kept until the lock changes."""
    pins = "".join(re.search(rf"^{name}==(?:.*\\\n)*.*\n", LOCK, re.MULTILINE)[0] for name in NEEDS)
    folder = KEPT / f"deepspeed-{hashlib.sha256((pins + sys.version).encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    uv = Path(sys.executable).parent / "uv"
    run(uv, "venv", "-q", "--clear", "--python", sys.executable, folder)
    (packages,) = folder.glob("lib/*/site-packages")
    (packages / "project.pth").write_text(sysconfig.get_path("purelib"))
    (folder / "pins.txt").write_text(pins)
    install = ("pip", "install", "-q", "--no-deps", "--require-hashes", "--no-build-isolation", "--python", python)
    run(uv, *install, "-r", folder / "pins.txt", DS_BUILD_OPS="0")
    (folder / "complete").touch()
    return python


def run(*command, **environment):
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def launch(python, tmp_path):
    started = []

    def launch_(name, *changes, processes):
        command = [python, "-m", "training", "launch", f"--processes={processes}", "--task=summarize-news"]
        command += ["--threads=1", f"--folder={tmp_path / name}", *(f"--set={one}" for one in (*SMALL, *changes))]
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "TORCH_EXTENSIONS_DIR": str(python.parent.parent / "compiled"),
            "PATH": f"{python.parent}:{os.environ['PATH']}",  # ninja
        }
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )  # fmt: skip
        said, _ = started[-1].communicate(timeout=280)
        assert started[-1].returncode == 0, said
        metrics = json.loads((tmp_path / name / "model" / "metrics.json").read_text())
        weights = load_file(tmp_path / name / "model" / "model.safetensors")
        return said, (metrics["validation"], metrics["test"]), weights

    yield launch_
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_a_model_in_two_parts_becomes_the_one_that_a_whole_one_becomes(launch, tmp_path):
    in_fp32 = "optimizer.precision=fp32"

    said, figures, weights = launch("parts", in_fp32, "optimizer.batch=4", processes=2)
    _, whole_figures, whole = launch("whole", in_fp32, "optimizer.batch=8", "scale.strategy=ddp", processes=1)

    assert "FutureWarning" not in said
    assert "1,050,368 parameters, all of them trained" in (tmp_path / "parts" / "model" / "README.md").read_text()
    assert figures == whole_figures
    assert set(weights) == set(whole)
    assert max(float((weights[name] - whole[name]).abs().max()) for name in weights) < TOLERANCE
