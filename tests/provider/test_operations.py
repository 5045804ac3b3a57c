"""Waits for Google's long-running operations. A scripted server answers."""

import json
import threading
import time

import pytest

from provider import api as api_module
from provider import operations as module
from provider.api import Api, ApiError, Settings
from provider.operations import OperationFailed, OperationTimedOut, retry_precondition, wait
from provider.progress import phases as progress_module
from provider.progress.phases import Progress
from tfplugin.resource import Stopped

NAME = "projects/1/locations/r/endpoints/e/operations/5"
RUNNING = (200, {"name": NAME, "metadata": {"deploymentStage": "PREPARING_MODEL"}})
DONE = (200, {"name": NAME, "done": True, "response": {"@type": "T", "deployedModel": {"id": "1"}}})
DOWN = (503, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "down"}})


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(api_module, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(api_module, "MAX_TRIES", 2)
    monkeypatch.setattr(module, "FIRST_POLL_S", 0.01)


@pytest.fixture
def progress(monkeypatch, tmp_path):
    monkeypatch.setenv("FLANSTACK_PROGRESS_FILE", str(tmp_path / "progress"))
    return Progress("vertex_thing", "e/1")


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def api(script):
    return Api(Settings(project="p", region="r", api_endpoint=script.url, access_token="t"))


@pytest.fixture
def waited(api, progress, stop):
    def waited_(timeout_s=10.0):
        return wait(api, {"name": NAME}, timeout_s=timeout_s, progress=progress, stop=stop, region="r")

    return waited_


def test_the_response_comes_without_its_type(waited, script):
    script.answers = [RUNNING, DONE]

    assert waited() == {"deployedModel": {"id": "1"}}
    assert set(script.requests) == {f"GET /v1/{NAME}"}


def test_a_phase_is_told_once_and_with_its_time(waited, script, tmp_path, capsys):
    script.answers = [RUNNING, RUNNING, RUNNING, DONE]
    waited()

    assert (tmp_path / "progress").read_text().count("PREPARING_MODEL") == 1
    assert capsys.readouterr().err == "[INFO]  vertex_thing e/1: PREPARING_MODEL 00:00 (00:00)\n"


def test_a_long_wait_is_told_of_again_and_again_and_no_longer_than_it_lasts(waited, script, tmp_path, monkeypatch):
    monkeypatch.setattr(progress_module, "BEAT_S", 0.05)
    script.answers = [RUNNING]
    with pytest.raises(OperationTimedOut):
        waited(timeout_s=0.5)
    lines = (tmp_path / "progress").read_text().splitlines()
    time.sleep(0.2)

    beats = [json.loads(line) for line in lines if json.loads(line)["event"] == "beat"]
    assert len(beats) >= 4
    assert {(beat["phase"], beat["id"]) for beat in beats} == {("PREPARING_MODEL", "e/1")}
    assert (tmp_path / "progress").read_text().splitlines() == lines


def test_an_operation_that_fails_at_once_is_explained_too(waited, script):
    script.answers = [(200, {"name": NAME, "done": True, "error": {"code": 8}})]
    with pytest.raises(OperationFailed) as caught:
        waited()

    assert caught.value.reason == "RESOURCE_EXHAUSTED"
    assert caught.value.summary == "vertex_thing e/1 failed after 00:00: RESOURCE_EXHAUSTED"
    assert "Phase:   STARTING 00:00" in caught.value.detail


def test_a_log_that_cannot_be_read_does_not_hide_the_failure(waited, script, monkeypatch):
    kind = {"@type": "type.googleapis.com/google.cloud.aiplatform.v1.DeployModelOperationMetadata"}
    error = {"code": 9, "message": "Model server never became ready."}
    denied = (403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no"}})
    script.answers = [(200, {"name": NAME, "done": True, "metadata": kind, "error": error}), denied]
    with pytest.raises(OperationFailed) as caught:
        waited()

    assert "It cannot be read: PERMISSION_DENIED: no. Reading it needs roles/logging.viewer." in caught.value.detail
    assert "https://console.cloud.google.com/logs/query;query=resource.labels.endpoint_id" in caught.value.detail


def test_a_failure_tells_googles_words_the_phase_and_the_operation(waited, script):
    error = {"code": 9, "message": "Model server never became ready.\nSee the logs."}
    script.answers = [RUNNING, (200, {"name": NAME, "done": True, "error": error})]
    with pytest.raises(OperationFailed) as caught:
        waited()

    assert caught.value.summary.startswith("vertex_thing e/1 failed after 00:00: The container did not answer 200")
    assert "Phase:   PREPARING_MODEL 00:00" in caught.value.detail
    assert "FAILED_PRECONDITION: Model server never became ready. See the logs." in caught.value.detail
    assert "operations/5" in caught.value.detail


def test_a_minute_without_network_does_not_end_a_wait(waited, script, tmp_path):
    script.answers = [RUNNING, *[DOWN] * 6, RUNNING, DONE]

    assert waited() == {"deployedModel": {"id": "1"}}
    assert (tmp_path / "progress").read_text().count("UNREACHABLE") == 1


def test_an_outage_that_lasts_ends_it_with_the_error(waited, script, monkeypatch):
    monkeypatch.setattr(module, "OUTAGE_S", 0.05)
    script.answers = [RUNNING, DOWN]

    with pytest.raises(ApiError, match="UNAVAILABLE: down"):
        waited()


def test_a_refused_look_ends_it_at_once(waited, script):
    script.answers = [RUNNING, (403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no"}})]

    with pytest.raises(ApiError, match="PERMISSION_DENIED"):
        waited()


def test_a_time_out_is_the_configured_one_and_says_that_google_goes_on(waited, script):
    script.answers = [RUNNING]
    with pytest.raises(OperationTimedOut, match="takes longer than 00:00") as caught:
        waited(timeout_s=0.2)

    assert "Google goes on with operation" in caught.value.detail
    assert "/online-prediction/locations/r/endpoints/e?project=1" in caught.value.detail


def test_a_stop_ends_a_wait_at_once(waited, script, stop, monkeypatch):
    monkeypatch.setattr(module, "FIRST_POLL_S", 30.0)
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        waited(timeout_s=60)

    assert time.monotonic() - started < 5


REFUSED = (400, {"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": "still deployed"}})


def insisted(api, progress, stop, timeout_s=10.0):
    return retry_precondition(api, "DELETE", "/v1/m", stop=stop, region="r", timeout_s=timeout_s, progress=progress)


def test_a_precondition_that_is_not_met_yet_is_waited_for(api, script, progress, stop):
    script.answers = [REFUSED, REFUSED, (200, {"name": NAME})]

    assert insisted(api, progress, stop) == {"name": NAME}


def test_a_precondition_that_is_never_met_is_an_error(api, script, progress, stop):
    script.answers = [REFUSED]

    with pytest.raises(ApiError, match="still deployed"):
        insisted(api, progress, stop, timeout_s=0.1)


def test_a_delete_of_something_gone_succeeds(api, script, progress, stop):
    script.answers = [(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "gone"}})]

    assert insisted(api, progress, stop) is None


def test_a_progress_file_that_cannot_be_written_fails_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FLANSTACK_PROGRESS_FILE", str(tmp_path))
    Progress("vertex_thing", "e/1").phase("ONE")

    assert "cannot be written" in capsys.readouterr().err
