import json

import pytest

from training.buckets.place import bucket_folder
from training.config.reading import BadConfig, read
from training.tuning.checkpoints import prepare, settings_of, whole
from training.tuning.streaming import Upload, remote_checkpoints, restore


def task(*changes):
    return read("generated-dialogues", environment={}, changes=changes)


def checkpoint(folder, step, *, best=None, is_whole=True):
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").write_text(f"weights {step}")
    if is_whole:
        state = {"global_step": step, "best_model_checkpoint": best and f"/elsewhere/checkpoint-{best}"}
        (path / "trainer_state.json").write_text(json.dumps(state))
    return path


def test_the_latest_whole_checkpoint_is_gone_on_from_and_what_was_cut_off_is_removed(tmp_path):
    prepare(tmp_path, task(), num_processes=1)
    for step in (9, 100, 20):
        checkpoint(tmp_path, step)
    checkpoint(tmp_path, 200, is_whole=False)
    (checkpoint(tmp_path, 300) / "trainer_state.json").write_text('{"global')

    assert prepare(tmp_path, task(), num_processes=1).name == "checkpoint-100"
    assert [path.name for path in whole(tmp_path)] == ["checkpoint-9", "checkpoint-20", "checkpoint-100"]
    assert not (tmp_path / "checkpoint-200").exists()
    assert not (tmp_path / "checkpoint-300").exists()


def test_the_best_checkpoint_is_found_again_where_the_folder_has_moved(tmp_path):
    prepare(tmp_path, task(), num_processes=1)
    checkpoint(tmp_path, 4)
    latest = checkpoint(tmp_path, 8, best=4)

    prepare(tmp_path, task(), num_processes=1)

    state = json.loads((latest / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(tmp_path / "checkpoint-4")


@pytest.mark.parametrize(
    ("changes", "processes", "words"),
    [
        (["optimizer.learning_rate=0.5"], 1, "optimizer.learning_rate 0.0003, this one has 0.5"),
        (["data.max_train=7"], 1, "data.max_train"),
        ([], 2, "processes 1, this one has 2"),
    ],
)
def test_checkpoints_of_another_training_are_refused_with_what_differs(tmp_path, changes, processes, words):
    prepare(tmp_path, task(), num_processes=1)
    checkpoint(tmp_path, 4)

    with pytest.raises(BadConfig) as refused:
        prepare(tmp_path, task(*changes), num_processes=processes)

    assert words in str(refused.value)


def test_settings_that_change_no_outcome_may_differ(tmp_path):
    prepare(tmp_path, task(), num_processes=1)
    checkpoint(tmp_path, 4)

    assert prepare(tmp_path, task("optimizer.log_every=1", "scale.spot=false"), num_processes=1)
    assert "optimizer.batch" in settings_of(task())


@pytest.fixture
def remote(bucket):
    return bucket_folder(bucket)


def send(remote, folder, step, keep):
    upload = Upload()
    upload.checkpoint(folder / f"checkpoint-{step}", remote, keep=keep)
    upload.close()


def test_the_bucket_keeps_what_the_machine_keeps_and_gives_the_latest_and_the_best_back(remote, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    prepare(here, task(), num_processes=1)
    for step, keep in ((4, {4}), (8, {4, 8}), (12, {4, 12})):
        checkpoint(here, step, best=4)
        send(remote, here, step, {f"checkpoint-{one}" for one in keep})

    assert remote_checkpoints(remote) == ["checkpoint-4", "checkpoint-12"]
    assert restore(remote, there) == "checkpoint-12"
    assert [path.name for path in whole(there)] == ["checkpoint-4", "checkpoint-12"]
    assert prepare(there, task(), num_processes=1).name == "checkpoint-12"
    assert list(here.glob(".upload-*")) == []


def test_an_upload_that_was_cut_off_is_no_checkpoint(remote, tmp_path):
    prepare(tmp_path / "here", task(), num_processes=1)
    checkpoint(tmp_path / "here", 4)
    send(remote, tmp_path / "here", 4, {"checkpoint-4"})
    remote.put(tmp_path / "here" / "checkpoint-4" / "model.safetensors", "checkpoint-8/model.safetensors")

    assert restore(remote, tmp_path / "there") == "checkpoint-4"


def test_a_later_checkpoint_of_this_machine_goes_before_the_buckets(remote, tmp_path):
    prepare(tmp_path / "here", task(), num_processes=1)
    checkpoint(tmp_path / "here", 4)
    send(remote, tmp_path / "here", 4, {"checkpoint-4"})
    checkpoint(tmp_path / "there", 8)

    assert restore(remote, tmp_path / "there") is None
    assert restore(bucket_folder(f"{remote.url}-empty"), tmp_path / "nowhere") is None
