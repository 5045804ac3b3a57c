"""Batch predictions: a model's container over the lines of files, for real. Google's own client among them."""

from __future__ import annotations

import json
import time
import urllib.parse

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

PARENT = "projects/flan-test/locations/europe-west4"
BUCKET = "flan-batches"
ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


@pytest.fixture(scope="module")
def model(cloud):
    cloud.http.post("/storage/v1/b?project=flan-test", json={"name": BUCKET})
    return cloud.model("batch-echo")


@pytest.fixture
def put(cloud):
    """Writes an object of one JSON value per line; returns its gs:// name."""

    def put_(name, *instances):
        text = "".join(json.dumps(one) + "\n" for one in instances)
        path = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={urllib.parse.quote(name, safe='')}"
        answer = cloud.http.post(path, content=text.encode(), headers={"Content-Type": "text/plain"})
        assert answer.status_code == 200
        return f"gs://{BUCKET}/{name}"

    return put_


def body(model, *uris, **fields):
    return {
        "displayName": "Batch",
        "model": model,
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": list(uris)}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"gs://{BUCKET}/out"},
        },
        "dedicatedResources": {"machineSpec": {"machineType": "n1-standard-2"}},
        **fields,
    }


def ended(cloud, name, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while True:
        job = cloud.call("GET", f"/v1/{name}")
        if job["state"] in ENDED:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


def run(cloud, wanted):
    return ended(cloud, cloud.call("POST", f"/v1/{PARENT}/batchPredictionJobs", wanted)["name"])


def files(cloud, job):
    """The lines of each file of a job's output, by the file's name."""
    bucket, _, folder = job["outputInfo"]["gcsOutputDirectory"].removeprefix("gs://").partition("/")
    found = cloud.call("GET", f"/storage/v1/b/{bucket}/o?prefix={urllib.parse.quote(folder)}/")["items"]
    lines = {}
    for one in found:
        name = urllib.parse.quote(one["name"], safe="")
        text = cloud.http.get(f"/storage/v1/b/{bucket}/o/{name}?alt=media").text
        lines[one["name"].rpartition("/")[2]] = [json.loads(line) for line in text.splitlines()]
    return lines


def test_every_line_of_every_file_is_answered_in_its_order(cloud, model, put):
    put("many/a.jsonl", *[f"a{number}" for number in range(70)])
    put("many/b.jsonl", {"prompt": "b"})

    job = run(cloud, body(model, f"gs://{BUCKET}/many/*", modelParameters={"max_new_tokens": 4}))

    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["completionStats"] == {"successfulCount": "71"}
    assert job["modelVersionId"] == "1"
    assert "partialFailures" not in job
    assert job["outputInfo"]["gcsOutputDirectory"].startswith(f"gs://{BUCKET}/out/prediction-Echo-")
    lines = files(cloud, job)
    assert sorted(lines) == ["prediction.errors_stats-00000-of-00001", "prediction.results-00000-of-00001"]
    results = lines["prediction.results-00000-of-00001"]
    assert [one["instance"] for one in results] == [*(f"a{number}" for number in range(70)), {"prompt": "b"}]
    assert all(one["prediction"]["instance"] == one["instance"] for one in results)


def test_a_batch_that_the_container_refuses_fails_its_instances_and_no_other(cloud, model, put):
    uri = put("poison.jsonl", "one", {"status": 400}, "three")

    job = run(cloud, body(model, uri, manualBatchTuningParameters={"batchSize": 1}))

    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["completionStats"] == {"successfulCount": "2", "failedCount": "1"}
    assert "Non-OK result 400" in job["partialFailures"][0]["message"]
    lines = files(cloud, job)
    assert [one["instance"] for one in lines["prediction.results-00000-of-00001"]] == ["one", "three"]
    (failed,) = lines["prediction.errors_stats-00000-of-00001"]
    assert failed["instance"] == {"status": 400}
    assert failed["error"]["code"] == 3


def test_a_job_in_which_nothing_went_well_has_failed_and_still_says_what_became_of_each(cloud, model, put):
    job = run(cloud, body(model, put("bad.jsonl", {"status": 422}, "beside it")))

    assert job["state"] == "JOB_STATE_FAILED"
    assert "No instance succeeded" in job["error"]["message"]
    assert job["completionStats"] == {"failedCount": "2"}
    assert len(files(cloud, job)["prediction.errors_stats-00000-of-00001"]) == 2


def test_its_containers_are_several_when_asked_and_gone_when_it_ends(cloud, model, put):
    resources = {"machineSpec": {"machineType": "n1-standard-2"}, "startingReplicaCount": 2, "maxReplicaCount": 2}
    uri = put("two.jsonl", *[{"number": number} for number in range(8)])
    wanted = body(model, uri, dedicatedResources=resources, manualBatchTuningParameters={"batchSize": 2})

    job = run(cloud, wanted)

    results = files(cloud, job)["prediction.results-00000-of-00001"]
    assert len({one["prediction"]["pid"] for one in results}) == 2
    assert cloud.processes(job["name"].rpartition("/")[2]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": f"{PARENT}/models/nowhere"}, "not found"),
        ({"inputConfig": {"instancesFormat": "csv"}}, "instances_format"),
        ({"inputConfig": {"instancesFormat": "jsonl"}}, "gcs_source.uris is required"),
        ({"dedicatedResources": {}}, "machine_type is required"),
        ({"manualBatchTuningParameters": {"batchSize": 5000}}, "from 1 to 1024"),
        ({"displayName": ""}, "display_name"),
    ],
)
def test_what_cannot_be_run_is_refused_at_once(cloud, model, change, said):
    refusal = cloud.refusal("POST", f"/v1/{PARENT}/batchPredictionJobs", body(model, f"gs://{BUCKET}/x") | change)

    assert said in refusal["message"]


def test_a_line_that_is_no_json_ends_the_job_with_its_file_and_number(cloud, model, put):
    cloud.http.post(f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=torn.jsonl", content=b'"good"\n{"torn\n')

    job = run(cloud, body(model, f"gs://{BUCKET}/torn.jsonl"))

    assert job["state"] == "JOB_STATE_FAILED"
    assert f"gs://{BUCKET}/torn.jsonl, line 2: no JSON value" in job["error"]["message"]


def test_a_cancelled_job_ends_so_and_is_deleted_only_then(cloud, model, put):
    uri = put("slow.jsonl", {"sleep": 30})
    name = cloud.call("POST", f"/v1/{PARENT}/batchPredictionJobs", body(model, uri))["name"]
    while cloud.call("GET", f"/v1/{name}")["state"] != "JOB_STATE_RUNNING":
        time.sleep(0.05)

    assert "cancel it" in cloud.refusal("DELETE", f"/v1/{name}")["message"]
    cloud.call("POST", f"/v1/{name}:cancel")
    assert ended(cloud, name)["state"] == "JOB_STATE_CANCELLED"
    cloud.operation("DELETE", f"/v1/{name}")
    assert cloud.refusal("GET", f"/v1/{name}")["code"] == 404


def test_googles_own_client_runs_one_and_reads_what_came_of_it(cloud, model, put, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.url)
    aiplatform.init(
        project="flan-test",
        location="europe-west4",
        api_endpoint=cloud.url,
        api_transport="rest",
        credentials=AnonymousCredentials(),
    )
    job = aiplatform.Model(f"{PARENT}/models/batch-echo").batch_predict(
        job_display_name="From the SDK",
        gcs_source=put("sdk.jsonl", "hello", "again"),
        gcs_destination_prefix=f"gs://{BUCKET}/sdk",
        machine_type="n1-standard-2",
        batch_size=2,
        sync=True,
    )

    assert job.state.name == "JOB_STATE_SUCCEEDED"
    assert job.completion_stats.successful_count == 2
    assert [one.display_name for one in aiplatform.BatchPredictionJob.list(filter='display_name="From the SDK"')]
    texts = [json.loads(line) for blob in job.iter_outputs() for line in blob.download_as_text().splitlines()]
    assert sorted(one["instance"] for one in texts) == ["again", "hello"]
