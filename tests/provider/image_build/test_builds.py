"""The calls that start a build: a commit of the trigger's repository, or an archive built as the trigger says."""

import json
import threading

import pytest

from provider.api import Api, Settings
from provider.image_build.builds import BuildRequest, Builds
from tfplugin.resource import PluginError

PLACE = "projects/flan/locations/europe-west4"


@pytest.fixture
def builds(script):
    api = Api(Settings(project="flan", region="europe-west4", api_endpoint=script.url, access_token="t"))
    return Builds(api, threading.Event(), "flan", "europe-west4")


def request(**fields):
    values = {"trigger": f"{PLACE}/triggers/7", "substitutions": {"_TAG": "t"}, "content_hash": "0" * 64}
    return BuildRequest(**values, **({"revision": None, "archive": None, "bucket": None} | fields))


def test_a_trigger_runs_at_the_commit_on_its_regional_path(builds, script):
    script.answers = [(200, {"metadata": {"build": {"id": "b1"}}})]

    assert builds.start(request(revision="abc"))["id"] == "b1"
    assert script.requests == [f"POST /v1/{PLACE}/triggers/7:run"]
    source = {"commitSha": "abc", "substitutions": {"_TAG": "t"}}
    assert json.loads(script.calls[0][2]) == {"projectId": "flan", "triggerId": "7", "source": source}


def test_an_uploaded_archive_is_built_as_the_trigger_says(builds, script, tmp_path):
    (tmp_path / "source.tar.gz").write_bytes(b"archive")
    trigger = {"build": {"steps": [{"name": "s"}], "timeout": "7200s"}, "substitutions": {"_TAG": "manual", "_W": "1"}}
    script.answers = [
        (200, trigger | {"serviceAccount": "projects/flan/serviceAccounts/build@x"}),
        (404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "no object"}}),
        (200, {}),
        (200, {"metadata": {"build": {"id": "b2"}}}),
    ]

    assert builds.start(request(archive=tmp_path / "source.tar.gz", bucket="b"))["id"] == "b2"
    name = f"source/{'0' * 64}.tar.gz"
    upload, submit = script.calls[2], json.loads(script.calls[3][2])
    assert upload[1] == f"/upload/storage/v1/b/b/o?uploadType=media&name={name.replace('/', '%2F')}"
    assert (upload[2], upload[3]["content-type"]) == (b"archive", "application/gzip")
    assert submit["source"] == {"storageSource": {"bucket": "b", "object": name}}
    assert submit["substitutions"] == {"_TAG": "t", "_W": "1"}
    assert submit["timeout"] == "7200s"
    assert submit["serviceAccount"] == "projects/flan/serviceAccounts/build@x"


def test_a_trigger_that_builds_from_a_file_cannot_take_an_archive(builds, script, tmp_path):
    script.answers = [(200, {"filename": "cloudbuild.yaml"})]

    with pytest.raises(PluginError, match="no inline build"):
        builds.start(request(archive=tmp_path / "a", bucket="b"))
