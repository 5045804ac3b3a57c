"""`vertex_custom_job` through its life: real Terraform, the provider, a real local cloud that runs real jobs."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import textwrap
import time
import urllib.parse
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
TRAIN = textwrap.dedent("""
    import os, sys, time
    from google.cloud import storage

    bucket, _, folder = os.environ["AIP_MODEL_DIR"].removeprefix("gs://").partition("/")
    bucket = storage.Client().bucket(bucket)
    print("epoch 1", flush=True)
    while os.environ.get("WAIT_FOR") and not bucket.blob(os.environ["WAIT_FOR"]).exists():
        time.sleep(0.05)
    if os.environ.get("FAIL"):
        raise RuntimeError("CUDA error: device-side assert triggered")
    bucket.blob(folder + "weights").upload_from_string(os.environ.get("RUN", "1"))
""")


@pytest.fixture(scope="module")
def image(cloud):
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-training"})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "srv").mkdir()
        (Path(folder) / "srv" / "train.py").write_text(TRAIN)
        config = {"cmd": ["python", "train.py"], "workdir": "/srv"}
        body = {"uri": "europe-west4-docker.pkg.dev/flan/images/train:v1", "folder": folder, "config": config}
        digest = cloud.call("POST", "/localcloud/images", body)["digest"]
    return f"europe-west4-docker.pkg.dev/flan/images/train@{digest}"


@pytest.fixture(scope="module")
def make(workspace, image):
    """A folder with a job. name: of the job and of its output folder. env: of its container."""

    def make_(name, *, folder=None, env=None, machine="n1-standard-4", **fields):
        container = {"image_uri": image, "env": [{"name": key, "value": text} for key, text in (env or {}).items()]}
        pool = {"machine_spec": [{"machine_type": machine}], "container_spec": [container]}
        body = {"display_name": name, "base_output_directory": f"gs://flan-training/{name}"}
        body |= {"worker_pool_specs": [pool], "labels": {"test": name}, **fields}
        return (folder or workspace(f"job-{name}")).write(custom_job=body)

    return make_


@pytest.fixture
def go(cloud):
    """Lets jobs go on that wait for an object of this name."""

    def go_(name):
        path = f"/upload/storage/v1/b/flan-training/o?uploadType=media&name={name}"
        cloud.call("POST", path, {})

    return go_


def jobs(cloud, name):
    return cloud.call("GET", f"/v1/{PARENT}/customJobs?filter=labels.test%3D{name}").get("customJobs", [])


def submitted(cloud):
    return cloud.requests("POST", "/customJobs$")


def processes(cloud, job):
    return [one for one in cloud.call("GET", "/localcloud/status")["processes"] if one["name"].startswith(job)]


def weights(cloud, name):
    path = urllib.parse.quote(f"{name}/model/weights", safe="")
    return cloud.exists(f"/storage/v1/b/flan-training/o/{path}")


@pytest.fixture(scope="module")
def flan(make):
    """A folder in which a job has run; its first plan is kept as `planned`."""
    pools = {"scheduling": [{"strategy": "SPOT", "timeout": "1h30m", "restart_job_on_worker_restart": True}]}
    folder = make("flan", **pools)
    folder.planned = folder.plan()["custom_job"]
    folder.run("apply", "plan")
    return folder


def test_the_output_is_known_at_plan_time_and_the_name_is_not(flan):
    assert flan.planned["after"]["output_uri"] == "gs://flan-training/flan/model"
    assert flan.planned["after_unknown"]["name"] is True


def test_create_submits_waits_and_tells_the_outcome(flan, cloud):
    state = flan.state()["custom_job"]

    assert (state["state"], state["error"], state["tainted"]) == ("JOB_STATE_SUCCEEDED", None, False)
    assert state["create_time"] < state["start_time"] < state["end_time"]
    assert state["name"].startswith(f"{PARENT}/customJobs/")
    assert weights(cloud, "flan")
    (job,) = jobs(cloud, "flan")
    assert job["jobSpec"]["scheduling"] == {
        "strategy": "SPOT",
        "timeout": "5400s",
        "restartJobOnWorkerRestart": True,
    }
    assert flan.phases()[0] == "SUBMITTING"
    assert flan.phases()[-1] == "SUCCEEDED"


def test_an_unchanged_world_plans_nothing(flan):
    assert flan.is_unchanged()


def test_terraforms_own_settings_change_in_place_and_run_nothing(make, cloud):
    folder = make("settings")
    folder.apply()
    count = submitted(cloud)
    make("settings", folder=folder, keep_on_destroy=True, timeouts={"create": "2h"})
    assert folder.actions() == {"custom_job": "update"}
    folder.apply()

    assert folder.is_unchanged()
    assert submitted(cloud) == count
    folder.destroy()
    assert len(jobs(cloud, "settings")) == 1  # its record was to stay


def test_a_replacement_runs_another_job_and_deletes_the_record_of_the_old_one(make, cloud):
    folder = make("replaced")
    folder.apply()
    old = folder.state()["custom_job"]["name"]
    make("replaced", folder=folder, env={"RUN": "2"})
    folder.apply()

    assert folder.state()["custom_job"]["name"] != old
    assert not cloud.exists(f"/v1/{old}")
    assert folder.is_unchanged()


def test_a_job_that_is_gone_is_run_again_and_destroying_it_is_no_error(make, cloud):
    folder = make("gone")
    folder.apply()
    name = folder.state()["custom_job"]["name"]
    cloud.done("DELETE", f"/v1/{name}")
    assert folder.actions() == {"custom_job": "create"}
    folder.run("destroy", "-auto-approve", "-refresh=false")

    assert folder.state() == {}


def test_a_failure_tells_cause_log_and_console_and_the_next_apply_runs_a_new_job(make, cloud):
    folder = make("broken", env={"FAIL": "yes"})
    said = folder.refused("apply", "-auto-approve")

    assert "The training broke: RuntimeError: CUDA error" in said
    assert "The replica workerpool0-0 exited with a non-zero status of 1" in said
    assert "| RuntimeError: CUDA error" in said
    assert "Phase: RUNNING" in " ".join(said.split())
    state = folder.state()["custom_job"]
    assert (state["state"], state["tainted"]) == ("JOB_STATE_FAILED", True)
    assert f"vertex-ai/locations/europe-west4/training/{state['name'].rpartition('/')[2]}" in said
    make("broken", folder=folder)
    folder.apply()
    assert folder.state()["custom_job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert not cloud.exists(f"/v1/{state['name']}")  # the failed one's record went with it


def interrupted(folder, number):
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("RUNNING")
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    return output


def test_an_interrupt_keeps_the_job_and_the_next_apply_waits_for_it_in_place(make, cloud, go):
    folder, count = make("paused", env={"WAIT_FOR": "paused-goes-on"}), submitted(cloud)
    output = interrupted(folder, signal.SIGINT)
    assert "Interrupted while custom job" in " ".join(output.split())
    state = folder.state()["custom_job"]
    assert (state["state"], state["tainted"]) == ("JOB_STATE_RUNNING", False)
    assert folder.actions() == {"custom_job": "update"}

    go("paused-goes-on")
    folder.apply()
    after = folder.state()["custom_job"]
    assert (after["state"], after["name"]) == ("JOB_STATE_SUCCEEDED", state["name"])
    assert submitted(cloud) == count + 1
    assert folder.is_unchanged()


def test_after_a_kill_the_next_apply_finds_the_job_that_was_begun(make, cloud, go):
    folder, count = make("killed", env={"WAIT_FOR": "killed-goes-on"}), submitted(cloud)
    interrupted(folder, signal.SIGKILL)
    assert "vertex_custom_job" not in (folder.folder / "terraform.tfstate").read_text()
    (begun,) = jobs(cloud, "killed")

    go("killed-goes-on")
    folder.apply()
    state = folder.state()["custom_job"]
    assert state["name"].rpartition("/")[2] == begun["name"].rpartition("/")[2]
    assert submitted(cloud) == count + 1
    assert "ADOPTED" in folder.phases()
    assert folder.is_unchanged()


def test_a_job_that_ended_well_after_a_kill_is_adopted_with_its_result(make, cloud, go):
    folder, count = make("finished", env={"WAIT_FOR": "finished-goes-on"}), submitted(cloud)
    interrupted(folder, signal.SIGKILL)
    go("finished-goes-on")
    deadline = time.monotonic() + 20
    while jobs(cloud, "finished")[0]["state"] != "JOB_STATE_SUCCEEDED":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    folder.apply()

    assert folder.state()["custom_job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert submitted(cloud) == count + 1


def test_a_job_that_fails_after_an_interrupt_is_planned_to_be_replaced(make, cloud, go):
    folder = make("unlucky", env={"WAIT_FOR": "unlucky-goes-on", "FAIL": "yes"})
    interrupted(folder, signal.SIGINT)
    name = folder.state()["custom_job"]["name"]
    go("unlucky-goes-on")
    deadline = time.monotonic() + 20
    while cloud.call("GET", f"/v1/{name}")["state"] != "JOB_STATE_FAILED":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert "ended as FAILED" in folder.run("plan")
    assert folder.actions() == {"custom_job": "replace"}
    make("unlucky", folder=folder)
    folder.apply()
    assert folder.state()["custom_job"]["state"] == "JOB_STATE_SUCCEEDED"


def test_destroy_cancels_a_job_that_runs_and_leaves_no_process(make, cloud):
    folder = make("stopped", env={"WAIT_FOR": "never"})
    interrupted(folder, signal.SIGINT)
    name = folder.state()["custom_job"]["name"]
    (process,) = processes(cloud, name)
    folder.destroy()

    assert jobs(cloud, "stopped") == []
    assert processes(cloud, name) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process["pid"], 0)
    assert {"CANCELLING", "CANCELLED", "DELETED"} <= set(folder.phases())


def test_an_answer_lost_while_submitting_never_submits_twice(make, cloud, faults):
    folder = make("lost")
    faults({"method": "POST", "path": "/customJobs$"}, {"drop": "after"})
    folder.apply()

    assert len(jobs(cloud, "lost")) == 1
    assert folder.is_unchanged()


def test_a_timeout_keeps_the_job_and_a_longer_one_goes_on_with_it(make, cloud, go):
    folder = make("slow", env={"WAIT_FOR": "slow-goes-on"}, timeouts={"create": "1s"})
    assert "takes longer than 00:01" in " ".join(folder.apply().split())
    go("slow-goes-on")
    make("slow", folder=folder, env={"WAIT_FOR": "slow-goes-on"}, timeouts={"create": "1m"})
    folder.apply()

    assert folder.state()["custom_job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert len(jobs(cloud, "slow")) == 1


def test_equal_requests_are_one_job_unless_a_run_key_tells_them_apart(make, cloud):
    first, second = make("equal"), make("equal", run_key="second")
    first.apply()
    second.apply()

    assert first.state()["custom_job"]["name"] != second.state()["custom_job"]["name"]
    assert len(jobs(cloud, "equal")) == 2


def test_an_import_of_a_job_made_elsewhere_plans_nothing(workspace, cloud, image):
    pool = {
        "machineSpec": {"machineType": "n1-standard-4", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1},
        "replicaCount": "1",
        "diskSpec": {"bootDiskType": "pd-standard", "bootDiskSizeGb": 200},
        "containerSpec": {
            "imageUri": image,
            "args": ["python", "train.py", "--epochs", "3"],
            "env": [{"name": "A", "value": "b"}],
        },
    }
    spec = {"workerPoolSpecs": [pool], "baseOutputDirectory": {"outputUriPrefix": "gs://flan-training/hand"}}
    spec |= {"scheduling": {"timeout": "3600s", "strategy": 3}, "enableWebAccess": True}
    made = cloud.call("POST", f"/v1/{PARENT}/customJobs", {"displayName": "By hand", "jobSpec": spec})
    name = f"{PARENT}/customJobs/{made['name'].rpartition('/')[2]}"
    deadline = time.monotonic() + 20
    while cloud.call("GET", f"/v1/{name}")["state"] in ("JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    container = {
        "image_uri": image,
        "args": ["python", "train.py", "--epochs", "3"],
        "env": [{"name": "A", "value": "b"}],
    }
    machine = {"machine_type": "n1-standard-4", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
    disk = {"boot_disk_type": "pd-standard", "boot_disk_size_gb": 200}
    body = {"display_name": "By hand", "base_output_directory": "gs://flan-training/hand", "enable_web_access": True}
    body |= {"worker_pool_specs": [{"machine_spec": [machine], "container_spec": [container], "disk_spec": [disk]}]}
    folder = workspace("job-import").write(
        custom_job=body | {"scheduling": [{"strategy": "STANDARD", "timeout": "1h"}]}
    )
    assert "Nothing to import" in folder.run("import", "vertex_custom_job.this", f"{PARENT}/customJobs/1", check=False)
    folder.run("import", "vertex_custom_job.this", name)

    assert folder.state()["custom_job"]["output_uri"] == "gs://flan-training/hand/model"
    assert folder.is_unchanged()


def test_what_cannot_work_is_refused_at_plan(make, workspace):
    folder = make(
        "wrong",
        env={"AIP_MODEL_DIR": "x"},
        base_output_directory="/tmp/out",
        tensorboard="boards/1",
        scheduling=[{"strategy": "FAST", "timeout": "soon"}],
        machine="a2-highgpu-1g",
        labels={"Test": "wrong"},
    )
    said = folder.refused("plan")

    assert "NVIDIA_TESLA_A100, which a2-highgpu-1g has built in" in said
    for told in ("gs://BUCKET/FOLDER", "none without service_account", "STANDARD, SPOT, FLEX_START", "got 'soon'"):
        assert told in said
    assert "does not begin with AIP_" in said
    assert json.dumps("Test").strip('"') in said
