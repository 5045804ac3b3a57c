"""A model folder fetched out of Cloud Storage by Google's client, against a real local cloud."""

from __future__ import annotations

import os
import urllib.parse
import urllib.request

import pytest

from serving.checkpoint.bucket_folder import fetch
from serving.checkpoint.errors import CheckpointError
from tests.provider.local_cloud import Cloud, free_port_pair, serving_command

FILES = {"config.json": b'{"model_type": "t5"}', "model.safetensors": os.urandom(3_000_000), "empty.txt": b""}


class Heard:
    """What a fetch tells of itself."""

    def __init__(self):
        self.phases, self.num_bytes = [], 0

    def enter(self, phase, *, total_bytes=None):
        self.phases.append((phase, total_bytes))

    def advance(self, num_bytes):
        self.num_bytes += num_bytes


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """A local cloud whose bucket holds two model folders, one with a checkpoint inside."""
    folder, port = tmp_path_factory.mktemp("storage"), free_port_pair()
    cloud = Cloud(f"http://127.0.0.1:{port}", serving_command(port, folder / "data"), folder / "log")
    cloud.start()
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-training"})
    for name, content in FILES.items():
        put(cloud, f"run/model/{name}", content)
    put(cloud, "run/model/checkpoints/step-1/config.json", b"{}")
    put(cloud, "run/model-2/config.json", b"{}")
    yield cloud
    cloud.stop()


@pytest.fixture(autouse=True)
def emulator(cloud, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.url)


def put(cloud, name, content):
    query = urllib.parse.urlencode({"uploadType": "media", "name": name})
    request = urllib.request.Request(f"{cloud.url}/upload/storage/v1/b/flan-training/o?{query}", data=content)
    request.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(request, timeout=30).close()


@pytest.mark.parametrize("uri", ["gs://flan-training/run/model", "gs://flan-training/run/model/"])
def test_the_files_of_the_folder_arrive_and_every_byte_is_counted(tmp_path, uri):
    heard = Heard()
    fetch(uri, tmp_path / "model", progress=heard)

    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == FILES
    size = sum(map(len, FILES.values()))
    assert heard.phases == [(f"fetching {uri}", size)]
    assert heard.num_bytes == size


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("gs://flan-training/other", "has no file: the model's artifact_uri must be the folder with config.json"),
        ("gs://no-such-bucket/run", "cannot be fetched"),
        ("s3://flan/run", "must be a folder in Cloud Storage, as gs://BUCKET/FOLDER"),
    ],
)
def test_what_cannot_be_fetched_is_told_with_the_cure(tmp_path, uri, said):
    with pytest.raises(CheckpointError, match=said):
        fetch(uri, tmp_path, progress=Heard())


def test_a_bucket_that_answers_wrong_bytes_is_noticed_and_nothing_bears_the_files_name(cloud, tmp_path):
    stored = max(cloud.log.parent.glob("data/buckets/flan-training/*"), key=lambda path: path.stat().st_size)
    good = stored.read_bytes()
    stored.write_bytes(b"\0" + good[1:])
    try:
        with pytest.raises(CheckpointError, match="arrived with wrong bytes"):
            fetch("gs://flan-training/run/model", tmp_path, progress=Heard())
    finally:
        stored.write_bytes(good)

    assert not (tmp_path / "model.safetensors").exists()
