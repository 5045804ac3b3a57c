import json

import pytest

from training.buckets.place import bucket_folder
from training.folder.export import complete_folder, deliver
from training.folder.metadata import git_sha, read_template, write_template


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    (made / "config.json").write_text('{"d_model": 8}')
    (made / "model.safetensors").write_text("weights")
    (made / "model.safetensors").chmod(0o600)
    (made / "training_args.bin").write_text("pickle")
    complete_folder(made, template="summarize: {input}", card="# Card", metrics={"test": {"rouge1": 1.5}})
    return made


def test_everybody_may_read_the_weights_and_nobody_finds_a_pickle(folder):
    assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o644
    assert not (folder / "training_args.bin").exists()
    assert json.loads((folder / "metrics.json").read_text()) == {"test": {"rouge1": 1.5}}


def test_the_template_stands_beside_what_the_config_had(folder):
    write_template(folder, "{input}\nSummary: ")

    assert read_template(folder) == "{input}\nSummary: "
    assert json.loads((folder / "config.json").read_text())["d_model"] == 8


def test_shards_of_an_earlier_model_do_not_stay_in_the_place(folder, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    for name in ("model-00001-of-00002.safetensors", "model.safetensors.index.json", "notes.txt"):
        (place / name).write_text("old")

    deliver(folder, str(place))
    deliver(folder, str(place))

    assert {path.name for path in place.iterdir()} == {*(path.name for path in folder.iterdir()), "notes.txt"}


def test_a_place_that_is_the_folder_itself_stays_as_it_is(folder):
    before = {path.name for path in folder.iterdir()}

    deliver(folder, str(folder))

    assert {path.name for path in folder.iterdir()} == before


def test_metrics_are_the_last_to_arrive_in_a_bucket(folder, bucket, monkeypatch):
    arrived = []
    put = type(bucket_folder(bucket)).put
    monkeypatch.setattr(type(bucket_folder(bucket)), "put", lambda self, *a: (arrived.append(a[1]), put(self, *a)))

    deliver(folder, bucket)

    assert arrived[-1] == "metrics.json"
    assert sorted(arrived) == bucket_folder(bucket).files()


def test_the_commit_is_the_images_where_it_names_one(monkeypatch):
    assert len(git_sha()) == 40
    monkeypatch.setenv("GIT_SHA", "of-the-image")
    assert git_sha() == "of-the-image"
