"""Custom jobs: run for real, to their end, with their output in the local Storage. Google's own client among them."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

PARENT = "projects/flan-test/locations/europe-west4"
# What a training program does, in a second: it reads its environment, and writes where Vertex AI says.
TRAIN = """
import json, os, sys, time
print("training starts", flush=True)
if len(sys.argv) > 1 and sys.argv[1] == "sleep":
    time.sleep(float(sys.argv[2]))
if len(sys.argv) > 1 and sys.argv[1] == "exit":
    print("out of patience", file=sys.stderr)
    sys.exit(int(sys.argv[2]))
if "AIP_MODEL_DIR" in os.environ:
    from google.cloud import storage
    bucket, _, folder = os.environ["AIP_MODEL_DIR"].removeprefix("gs://").partition("/")
    told = {key: value for key, value in os.environ.items() if key.startswith(("AIP_", "CLOUD_ML_", "CLUSTER_SPEC"))}
    blob = storage.Client().bucket(bucket).blob(folder + "environment.json")
    blob.upload_from_string(json.dumps(told | {"arguments": sys.argv[1:], "seed": os.environ.get("SEED")}))
print("training ends", flush=True)
"""


@pytest.fixture(scope="module")
def image(cloud):
    cloud.http.post("/storage/v1/b?project=flan-test", json={"name": "flan-jobs"})
    return cloud.image(source=TRAIN)


def pool(image, *args, replicas=1, **container):
    return {
        "machineSpec": {"machineType": "n1-standard-4"},
        "replicaCount": replicas,
        "containerSpec": {"imageUri": image, "args": ["server.py", *args], "command": ["python"], **container},
    }


def submit(cloud, *pools, labels=None, **spec):
    body = {"displayName": "Train", "labels": labels or {}, "jobSpec": {"workerPoolSpecs": list(pools), **spec}}
    return cloud.call("POST", f"/v1/{PARENT}/customJobs", body)["name"]


def ended(cloud, name, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while True:
        job = cloud.call("GET", f"/v1/{name}")
        if job["state"] in ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


def wait_running(cloud, name):
    deadline = time.monotonic() + 20
    while not [one for one in cloud.processes(name.rsplit("/", 1)[1]) if one["pid"]]:
        assert time.monotonic() < deadline, cloud.call("GET", f"/v1/{name}")
        time.sleep(0.02)
    return cloud.processes(name.rsplit("/", 1)[1])


def log(cloud, name, replica="workerpool0-0"):
    _, _, _, location, _, job = name.split("/")
    return cloud.http.get(f"/localcloud/logs/custom_jobs/flan-test/{location}/{job}/{replica}.log").text


def test_a_job_runs_to_its_end_and_its_output_is_in_the_bucket(cloud, image):
    output = {"outputUriPrefix": "gs://flan-jobs/run-1"}
    container = {"env": [{"name": "SEED", "value": "7"}]}
    name = submit(cloud, pool(image, "--id", "$(CLOUD_ML_JOB_ID)", **container), baseOutputDirectory=output)
    job = ended(cloud, name)

    assert job["state"] == "JOB_STATE_SUCCEEDED", log(cloud, name)
    assert job["createTime"] < job["startTime"] < job["endTime"]
    assert "error" not in job
    told = cloud.http.get("/storage/v1/b/flan-jobs/o/run-1%2Fmodel%2Fenvironment.json?alt=media").json()
    assert told["AIP_CHECKPOINT_DIR"] == "gs://flan-jobs/run-1/checkpoints/"
    assert told["AIP_TENSORBOARD_LOG_DIR"] == "gs://flan-jobs/run-1/logs/"
    assert told["arguments"] == ["--id", told["CLOUD_ML_JOB_ID"]]
    assert (told["seed"], told["CLOUD_ML_JOB_ID"]) == ("7", name.rsplit("/", 1)[1])
    assert json.loads(told["CLUSTER_SPEC"])["task"] == {"type": "workerpool0", "index": 0}
    assert "training starts" in log(cloud, name)
    assert cloud.processes(told["CLOUD_ML_JOB_ID"]) == []


def test_an_exit_code_that_is_not_zero_fails_the_job_in_vertex_ais_words(cloud, image):
    name = submit(cloud, pool(image, "exit", "3"))
    job = ended(cloud, name)

    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    assert job["error"]["message"].startswith(
        "The replica workerpool0-0 exited with a non-zero status of 3. To find out more about why your job exited "
        "please check the logs: http://127.0.0.1:"
    )
    address = job["error"]["message"].rpartition(" ")[2]
    assert "out of patience" in cloud.http.get(address).text
    wanted = f'resource.type="ml_job" AND resource.labels.job_id="{name.rsplit("/", 1)[1]}"'
    body = {"resourceNames": ["projects/flan-test"], "filter": wanted}
    entries = cloud.call("POST", "/v2/entries:list", body)["entries"]
    assert [one["jsonPayload"]["message"] for one in entries] == ["training starts", "out of patience"]


def test_a_cancelled_job_leaves_no_process_and_can_be_deleted(cloud, image):
    name = submit(cloud, pool(image, "sleep", "60"))
    (process,) = wait_running(cloud, name)
    refusal = cloud.refusal("DELETE", f"/v1/{name}")
    assert (refusal["status"], "JOB_STATE_RUNNING" in refusal["message"]) == ("FAILED_PRECONDITION", True)

    assert cloud.call("POST", f"/v1/{name}:cancel") == {}
    job = ended(cloud, name)
    assert (job["state"], job["error"]) == ("JOB_STATE_CANCELLED", {"code": 1, "message": "CANCELED"})
    with pytest.raises(ProcessLookupError):
        os.killpg(process["pid"], 0)
    cloud.call("POST", f"/v1/{name}:cancel")  # again: no harm
    assert cloud.call("GET", f"/v1/{name}")["state"] == "JOB_STATE_CANCELLED"

    assert cloud.operation("DELETE", f"/v1/{name}")["done"]
    assert cloud.refusal("GET", f"/v1/{name}")["code"] == 404


def test_a_job_that_takes_longer_than_its_timeout_fails(cloud, image):
    name = submit(cloud, pool(image, "sleep", "60"), scheduling={"timeout": "1s", "strategy": 4})
    job = ended(cloud, name)

    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 4)
    assert job["jobSpec"]["scheduling"] == {"timeout": "1s", "strategy": "SPOT"}
    assert cloud.processes(name.rsplit("/", 1)[1]) == []


def test_replicas_know_each_other_and_end_with_the_primary(cloud):
    source = """
import os, sys, time
print({key: os.environ[key] for key in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "CLUSTER_SPEC")}, flush=True)
time.sleep(0.5 if os.environ["RANK"] == "0" else 60)
"""
    image = cloud.image(source=source)
    name = submit(cloud, pool(image), pool(image, replicas=2))
    job = ended(cloud, name)

    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert [one["replicaCount"] for one in job["jobSpec"]["workerPoolSpecs"]] == ["1", "2"]
    for replica, rank in (("workerpool0-0", 0), ("workerpool1-0", 1), ("workerpool1-1", 2)):
        text = log(cloud, name, replica)
        assert f"'RANK': '{rank}', 'WORLD_SIZE': '3'" in text
        assert f'"index": {replica[-1]}' in text
    assert cloud.processes(name.rsplit("/", 1)[1]) == []


def test_an_image_that_is_not_there_fails_the_job(cloud):
    job = ended(cloud, submit(cloud, pool("europe-west4-docker.pkg.dev/flan-test/images/nowhere:v1")))

    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["message"].endswith("nowhere:v1' not found.")


def test_jobs_are_listed_by_label_state_and_name_newest_first(cloud, image):
    first = submit(cloud, pool(image), labels={"run": "a"})
    second = submit(cloud, pool(image), labels={"run": "a"})
    ended(cloud, first), ended(cloud, second)
    listed = cloud.call("GET", f"/v1beta1/{PARENT}/customJobs?filter=labels.run%3Da")["customJobs"]

    assert [one["name"] for one in listed] == [second, first]
    query = "filter=labels.run%3Da%20AND%20state%3D%22JOB_STATE_RUNNING%22"
    assert cloud.call("GET", f"/v1/{PARENT}/customJobs?{query}") == {}
    assert cloud.call("GET", f"/ui/{first}")["name"] == first


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"displayName": ""}, "display_name is required"),
        ({"jobSpec": {}}, "must have a first pool"),
        ({"jobSpec": {"workerPoolSpecs": [{"containerSpec": {"imageUri": "x"}}]}}, "machine_type is required"),
        (
            {"jobSpec": {"workerPoolSpecs": [{"machineSpec": {"machineType": "n1-standard-4"}}]}},
            "image_uri is required",
        ),
        ({"jobSpec": {"workerPoolSpecs": [pool("x", replicas=2)]}}, "replica_count of 1"),
        (
            {"jobSpec": {"workerPoolSpecs": [pool("x")], "baseOutputDirectory": {"outputUriPrefix": "/tmp"}}},
            "must be gs://BUCKET/FOLDER",
        ),
        ({"jobSpec": {"workerPoolSpecs": [pool("x")], "scheduling": {"strategy": "FAST"}}}, "scheduling.strategy"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(cloud, change, told):
    body = {"displayName": "Train", "jobSpec": {"workerPoolSpecs": [pool("x")]}, **change}
    refusal = cloud.refusal("POST", f"/v1/{PARENT}/customJobs", body)

    assert refusal["status"] == "INVALID_ARGUMENT"
    assert told in refusal["message"]


def test_a_stockout_fails_the_job_and_a_held_one_can_be_cancelled(cloud, image, faults):
    faults(match={"operation": "customJob", "stage": "JOB_STATE_PENDING"}, effect={"preset": "stockout"})
    assert "stockout" in ended(cloud, submit(cloud, pool(image)))["error"]["message"]

    faults(match={"operation": "customJob"}, effect={"status": "INTERNAL", "message": "lost"})
    assert ended(cloud, submit(cloud, pool(image)))["error"] == {"code": 13, "message": "lost"}

    faults(match={"operation": "customJob"}, effect={"hold": True}, times=None)
    name = submit(cloud, pool(image))
    cloud.call("POST", f"/v1/{name}:cancel")
    assert ended(cloud, name)["state"] == "JOB_STATE_CANCELLED"


def test_a_running_job_is_started_again_after_a_restart_and_its_old_process_is_gone(start):
    first = start()
    source = """
import os, time
from google.cloud import storage
blob = storage.Client().bucket("flan-jobs").blob("restart/checkpoint")
if not blob.exists():
    blob.upload_from_string("half")
    print("half way", flush=True)
    time.sleep(60)
print("went on from", blob.download_as_text(), flush=True)
"""
    first.http.post("/storage/v1/b?project=flan-test", json={"name": "flan-jobs"})
    name = submit(first, pool(first.image(source=source)))
    (process,) = wait_running(first, name)
    deadline = time.monotonic() + 20
    while "half way" not in log(first, name):
        assert time.monotonic() < deadline, log(first, name)
        time.sleep(0.05)
    first.end(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{process['pid']}").exists():
        assert time.monotonic() < deadline, "the job outlived the local cloud"
        time.sleep(0.02)

    second = start(port=first.port)
    job = ended(second, name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", log(second, name)
    assert "went on from half" in log(second, name)


def test_googles_client_submits_waits_and_cancels(cloud, image):
    aiplatform.init(
        project="flan-test",
        location="europe-west4",
        api_endpoint=cloud.url,
        api_transport="rest",
        credentials=AnonymousCredentials(),
        staging_bucket="gs://flan-jobs",
    )
    pools = [
        {
            "machine_spec": {"machine_type": "a2-highgpu-1g", "accelerator_type": "NVIDIA_TESLA_A100"},
            "replica_count": 1,
            "container_spec": {"image_uri": image, "command": ["python"], "args": ["server.py"]},
        }
    ]
    pools[0]["machine_spec"]["accelerator_count"] = 1
    job = aiplatform.CustomJob("By Google", pools, base_output_dir="gs://flan-jobs/google", labels={"by": "google"})
    job.submit(timeout=3600, restart_job_on_worker_restart=True, scheduling_strategy=4)
    job._block_until_complete()
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    assert job.job_spec.scheduling.strategy.name == "SPOT"
    (found,) = aiplatform.CustomJob.list(filter="labels.by=google")
    assert found.resource_name == job.resource_name
    job.delete()

    pools[0]["container_spec"]["args"] = ["server.py", "sleep", "60"]
    slow = aiplatform.CustomJob("Slow", pools)
    slow.submit()
    slow.cancel()
    with pytest.raises(RuntimeError, match="CANCELED"):
        slow._block_until_complete()
