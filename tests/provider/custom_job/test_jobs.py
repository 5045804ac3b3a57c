"""A custom job's documents, its request's hash, and calls whose answers the local cloud does not give on demand."""

from __future__ import annotations

import threading
import time

import pytest
from google.cloud.aiplatform_v1.types import CustomJob
from google.protobuf.json_format import ParseDict

from provider.api import Api, ApiError, Settings
from provider.custom_job import jobs as module
from provider.custom_job.document import REQUEST_LABEL, from_api, outcome, to_api
from provider.custom_job.jobs import CustomJobs
from provider.custom_job.schema import SCHEMA
from provider.failures.screen import find
from provider.progress.phases import Progress
from tfplugin.planning import replacing_paths

PARENT = "projects/flan/locations/europe-west4"
NAME = f"{PARENT}/customJobs/7"
IMAGE = "europe-west4-docker.pkg.dev/flan/images/train@sha256:" + "0" * 64


def pool(**fields):
    machine = {"machine_type": "a2-highgpu-1g", "accelerator_type": "NVIDIA_TESLA_A100", "accelerator_count": 1}
    container = {"image_uri": IMAGE, "command": None, "args": ["--epochs", "5"], "env": [{"name": "A", "value": "b"}]}
    empty = {"replica_count": 1, "machine_spec": [machine], "container_spec": [container], "disk_spec": []}
    return empty | fields


def planned(**fields):
    scheduling = {"strategy": "SPOT", "timeout": "1h30m", "restart_job_on_worker_restart": True}
    scheduling |= {"disable_retries": None, "max_wait_duration": None}
    given = {"display_name": "Train", "labels": {"team": "ml"}, "base_output_directory": "gs://models/run"}
    given |= {"worker_pool_specs": [pool(), pool(replica_count=3)], "scheduling": [scheduling]}
    given |= {"service_account": "trainer@flan.iam.gserviceaccount.com", "enable_web_access": True}
    return SCHEMA.body.empty() | given | fields


def test_the_request_is_one_that_googles_message_takes_whole():
    body = to_api(planned(worker_pool_specs=[pool(disk_spec=[{"boot_disk_type": None, "boot_disk_size_gb": 300}])]))
    job = CustomJob()
    ParseDict(body, CustomJob.pb(job))  # an unknown field or a wrong type raises

    assert job.job_spec.worker_pool_specs[0].disk_spec.boot_disk_size_gb == 300
    assert job.job_spec.scheduling.timeout.seconds == 5400
    assert job.job_spec.scheduling.strategy.name == "SPOT"
    assert job.job_spec.base_output_directory.output_uri_prefix == "gs://models/run"


def test_an_import_reads_back_what_was_submitted():
    state = planned()
    read = from_api(to_api(state) | {"name": NAME}, SCHEMA.body)

    assert {key: read[key] for key in read if key != "output_uri"} == {
        key: state[key] for key in read if key != "output_uri"
    }
    assert read["output_uri"] == "gs://models/run/model"


def hash_of(**fields):
    return to_api(planned(**fields))["labels"][REQUEST_LABEL]


def test_the_hash_is_of_the_whole_request_and_of_nothing_else():
    equal = {"keep_on_destroy": True, "timeouts": {"create": "9h"}, "location": "us-central1"}
    others = [
        {"display_name": "Other"},
        {"labels": {"team": "ops"}},
        {"run_key": "2"},
        {"scheduling": []},
        {"worker_pool_specs": [pool()]},
        {"enable_web_access": None},
    ]

    assert hash_of() == hash_of(**equal)
    assert len({hash_of(), *(hash_of(**one) for one in others)}) == len(others) + 1
    assert len(hash_of()) == 40  # a label's value has at most 63 characters


@pytest.mark.parametrize(
    "change",
    [
        {"worker_pool_specs": [pool(), pool(replica_count=4)]},
        {"worker_pool_specs": [pool()]},
        {"labels": {"team": "ops"}},
        {"run_key": "2"},
        {"scheduling": []},
        {"base_output_directory": "gs://models/elsewhere"},
        {"enable_web_access": None},
        {"service_account": "other@flan.iam.gserviceaccount.com"},
        {"network": "projects/1/global/networks/n"},
        {"location": "us-central1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_of_the_request_needs_another_job(change):
    assert replacing_paths(SCHEMA.body, planned(), planned(**change)) != []


def test_terraforms_own_settings_need_none():
    own = {"keep_on_destroy": True, "timeouts": {"create": "9h", "delete": None}}

    assert replacing_paths(SCHEMA.body, planned(), planned(**own)) == []


def test_an_outcome_tells_googles_words_for_a_failure():
    failed = {"state": "JOB_STATE_FAILED", "error": {"code": 3, "message": "no"}, "createTime": "2026-11-21T08:00:00Z"}

    assert outcome(failed)["error"] == "no"
    assert outcome({"state": "JOB_STATE_QUEUED"}) == {
        "state": "JOB_STATE_QUEUED",
        "error": None,
        "create_time": None,
        "start_time": None,
        "end_time": None,
    }


@pytest.fixture
def jobs(script):
    api = Api(Settings(project="flan", region="europe-west4", api_endpoint=script.url, access_token="t"))
    return CustomJobs(api, threading.Event(), PARENT)


def job(state, created, number=7):
    return {"name": f"{PARENT}/customJobs/{number}", "state": f"JOB_STATE_{state}", "createTime": created}


def test_failed_and_cancelled_jobs_are_not_alike_and_pages_are_followed(jobs, script):
    dead = [job("FAILED", "5"), job("CANCELLED", "6"), job("CANCELLING", "7"), job("EXPIRED", "8")]
    script.answers = [
        (200, {"customJobs": dead, "nextPageToken": "more"}),
        (200, {"customJobs": [job("SUCCEEDED", "4", 1), job("PENDING", "2", 2), job("RUNNING", "3", 3)]}),
    ]

    assert jobs.alike("abc")["name"].endswith("/3")  # what goes on, and of that the newest
    assert "filter=labels.flanstack_request%3Dabc" in script.calls[0][1]
    assert "pageToken=more" in script.calls[1][1]


def test_a_refusal_is_no_reason_to_look_for_a_job(jobs, script):
    script.answers = [(400, {"error": {"status": "INVALID_ARGUMENT", "message": "bad machine"}})]

    with pytest.raises(ApiError, match="bad machine"):
        jobs.submit(to_api(planned()))
    assert len(script.calls) == 1


def test_an_answer_that_was_lost_is_found_and_not_asked_for_again(jobs, script):
    script.answers = [
        (500, {"error": {"status": "INTERNAL", "message": "lost"}}),
        (200, {}),
        (200, {"customJobs": [job("QUEUED", "1")]}),
    ]

    assert jobs.submit(to_api(planned()))["name"] == NAME
    assert [one.split()[0] for one in script.requests] == ["POST", "GET", "GET"]


def test_a_submission_that_nobody_finds_is_an_error_and_not_repeated(jobs, script, monkeypatch):
    monkeypatch.setattr(module, "FIND_AGAIN_S", 0.5)
    script.answers = [(500, {"error": {"status": "INTERNAL", "message": "lost"}}), (200, {})]

    with pytest.raises(ApiError, match="lost"):
        jobs.submit(to_api(planned()))
    assert [one.split()[0] for one in script.requests].count("POST") == 1


def test_a_job_that_ended_before_it_could_be_cancelled_is_cancelled_enough(jobs, script):
    script.answers = [(400, {"error": {"status": "FAILED_PRECONDITION", "message": "it has ended"}})]
    begun = time.monotonic()
    jobs.cancel(NAME, timeout_s=30, progress=Progress("vertex_custom_job", "Train"))

    assert time.monotonic() - begun < 5


REPLICA = "INVALID_ARGUMENT: The replica workerpool0-0 exited with a non-zero status of"


@pytest.mark.parametrize(
    ("said", "log", "cause"),
    [
        (f"{REPLICA} 1.", ["Traceback", "ValueError: no such column"], "job-crash"),
        (f"{REPLICA} 1.", ["Listening on port 9999", "bye"], "job-exited"),
        (
            f"{REPLICA} 1.",
            ["torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"],
            "gpu-memory",
        ),
        (f"{REPLICA} 137.", [], "job-host-memory"),
        ("RESOURCE_EXHAUSTED: Replicas low on memory: workerpool0", [], "job-host-memory"),
        (f"{REPLICA} 127.", ["exec: train: No such file or directory"], "no-command"),
        (f"{REPLICA} 127.", [], "job-command"),
        ("DEADLINE_EXCEEDED: The job was stopped: it ran longer than its timeout, 60 s.", [], "job-timeout"),
        (
            f"{REPLICA} 1.",
            ["google.api_core.exceptions.Forbidden: 403 t@f.iam does not have storage.objects.create access"],
            "job-output-permission",
        ),
        (
            "RESOURCE_EXHAUSTED: The following quotas are exceeded: CustomModelTrainingA100GPUsPerProjectPerRegion",
            [],
            "quota-exhausted",
        ),
    ],
)
def test_a_failed_job_has_its_cause(said, log, cause):
    found = find(said, log)

    assert found is not None
    assert found.name == cause
