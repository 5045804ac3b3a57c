"""The first tutorial's task: data set and checkpoint by id, by the real libraries, from a hub of this machine."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.hub import COMMIT, Hub
from training.corpus.dialogues import take

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def hub(tmp_path):
    """`knkarthick/samsum` with its columns, as CSV; the embedded model where Flan-T5-base is."""
    samsum = tmp_path / "samsum"
    samsum.mkdir()
    for split, count in (("train", 32), ("validation", 4), ("test", 4)):
        with (samsum / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "dialogue", "summary"])
            rows.writerows([number, one.dialogue, one.summary] for number, one in enumerate(take(split, count, 3)))
    (samsum / "README.md").write_text("---\nlicense: cc-by-nc-nd-4.0\n---\n# SAMSum\n")
    hub = Hub(
        {"datasets/knkarthick/samsum": samsum, "models/google/flan-t5-base": ROOT / "models" / "dialogue-t5-mini"}
    )
    yield hub
    hub.close()


def fine_tune(hub, folder, *changes):
    # a server that another test ran in this process has taken the libraries off the network
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    environment = mine | {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "huggingface"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "training", "fine-tune", "--task", "summarize-dialogues", "--threads", "1"]
    command += [f"--folder={folder / 'run'}", *(f"--set={change}" for change in changes)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.slow
def test_data_and_checkpoint_come_from_the_hub_by_their_ids(hub, tmp_path):
    done = fine_tune(hub, tmp_path, "optimizer.max_steps=1", "generation.max_new_tokens=8")

    assert done.returncode == 0, done.stderr
    assert "summarize-dialogues: 32 + 4 + 4 records" in done.stdout
    assert "/datasets/knkarthick/samsum/resolve/" + COMMIT + "/train.csv" in hub.asked
    assert any(path.startswith("/google/flan-t5-base/resolve/") and "safetensors" in path for path in hub.asked)
    metrics = json.loads((tmp_path / "run" / "model" / "metrics.json").read_text())
    assert metrics["base_model"] == "google/flan-t5-base"
    assert "tuned on `knkarthick/samsum` at revision main" in (tmp_path / "run" / "model" / "README.md").read_text()


@pytest.mark.slow
def test_the_tutorials_old_id_is_refused_with_where_its_records_are(hub, tmp_path):
    done = fine_tune(hub, tmp_path, "data.source=samsum")

    assert done.returncode == 2
    assert "training: data.source 'samsum' cannot be read: Dataset 'samsum' doesn't exist on the Hub" in done.stderr
    assert "its records are in 'knkarthick/samsum' now" in done.stderr


@pytest.mark.slow
def test_a_checkpoint_that_the_hub_does_not_have_is_refused_by_its_name(hub, tmp_path):
    done = fine_tune(hub, tmp_path, "model.base=google/flan-t5-tiny")

    assert done.returncode == 2
    assert "training: model.base 'google/flan-t5-tiny' cannot be loaded: " in done.stderr
