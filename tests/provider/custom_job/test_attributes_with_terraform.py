"""Every attribute of `vertex_custom_job`: another job for each but Terraform's own; and what people do by hand."""

from __future__ import annotations

import json
import signal
import tempfile
from pathlib import Path

import pytest

from tests.provider.bodies import changed
from tests.provider.workspace import wait_for

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
POOL = ("worker_pool_specs", 0)
CONTAINER, MACHINE = (*POOL, "container_spec", 0), (*POOL, "machine_spec", 0)
ACCOUNT = "trainer@flan.iam.gserviceaccount.com"
ANOTHER = {
    "display_name": (("display_name",), "Another"),
    "labels": (("labels",), {"team": "ops"}),
    "run_key": (("run_key",), "2"),
    "base_output_directory": (("base_output_directory",), "gs://flan-jobs/elsewhere"),
    "service_account": (("service_account",), ACCOUNT),
    "network": (("network",), "projects/123456789012/global/networks/default"),
    "enable_web_access": (("enable_web_access",), True),
    "project": (("project",), "another"),
    "location": (("location",), "us-central1"),
    "machine_type": ((*MACHINE, "machine_type"), "n1-standard-8"),
    "accelerator": (MACHINE, {"machine_type": "n1-standard-4", "accelerator_type": "NVIDIA_TESLA_T4"}),
    "disk_spec": ((*POOL, "disk_spec"), [{"boot_disk_size_gb": 200}]),
    "image_uri": ((*CONTAINER, "image_uri"), f"europe-west4-docker.pkg.dev/flan/images/train@sha256:{'1' * 64}"),
    "command": ((*CONTAINER, "command"), ["true"]),
    "args": ((*CONTAINER, "args"), ["--epochs", "3"]),
    "env": ((*CONTAINER, "env"), [{"name": "A", "value": "b"}]),
    "scheduling.strategy": (("scheduling", 0, "strategy"), "SPOT"),
    "scheduling.timeout": (("scheduling", 0, "timeout"), "2h"),
    "scheduling.restart": (("scheduling", 0, "restart_job_on_worker_restart"), True),
    "scheduling.retries": (("scheduling", 0, "disable_retries"), True),
    "scheduling.max_wait": (("scheduling", 0), {"strategy": "FLEX_START", "max_wait_duration": "1h"}),
}


@pytest.fixture(scope="module")
def image(cloud):
    cloud.call("POST", "/storage/v1/b?project=flan", {"name": "flan-jobs"})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.py").write_text("import os, time\ntime.sleep(float(os.environ.get('LASTS_S', '0')))\n")
        body = {"uri": "europe-west4-docker.pkg.dev/flan/images/attributes:v1", "folder": folder}
        made = cloud.call("POST", "/localcloud/images", body | {"config": {"cmd": ["python", "train.py"]}})
    return f"europe-west4-docker.pkg.dev/flan/images/attributes@{made['digest']}"


@pytest.fixture(scope="module")
def body(image):
    pool = {"machine_spec": [{"machine_type": "n1-standard-4"}], "container_spec": [{"image_uri": image}]}
    given = {"display_name": "Attributes", "base_output_directory": "gs://flan-jobs/run"}
    return given | {"worker_pool_specs": [pool], "scheduling": [{"timeout": "1h"}]}


def test_every_other_attribute_is_another_job(workspace, cloud, body):
    """One job for as many resources of an equal request; then each has one attribute changed, in one plan."""
    folder = workspace("job-attributes").write()

    def written(bodies):
        document = json.loads((folder.folder / "main.tf.json").read_text())
        document["resource"] = {"vertex_custom_job": bodies}
        (folder.folder / "main.tf.json").write_text(json.dumps(document))

    others = {name.replace(".", "_"): changed(body, *one) for name, one in ANOTHER.items()}
    pool = body["worker_pool_specs"][0]
    others["replica_count"] = body | {"worker_pool_specs": [pool, pool | {"replica_count": 2}]}
    names = list(others)
    written({"first": body})
    folder.apply()
    written(dict.fromkeys(["first", *names], body))
    folder.apply()
    assert {one["attributes"]["name"] for one in instances(folder)} == {instances(folder)[0]["attributes"]["name"]}
    written({"first": body} | others)

    lines = [json.loads(line) for line in folder.run("plan", "-input=false", "-json").splitlines()]
    planned = {one["change"]["resource"]["resource_name"]: one["change"]["action"] for one in lines if "change" in one}
    assert planned == dict.fromkeys(names, "replace")
    folder.write().apply("-refresh=false")


def instances(folder):
    resources = json.loads((folder.folder / "terraform.tfstate").read_text())["resources"]
    return [instance for one in resources for instance in one["instances"]]


def test_a_job_cancelled_or_deleted_by_hand_is_drift(workspace, cloud, body):
    lasting = changed(body, (*CONTAINER, "env"), [{"name": "LASTS_S", "value": "600"}])
    folder = workspace("job-by-hand").write(custom_job=lasting)
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("RUNNING")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    name = folder.state()["custom_job"]["name"]
    cloud.call("POST", f"/v1/{name}:cancel", {})
    wait_for(lambda: cloud.call("GET", f"/v1/{name}")["state"] == "JOB_STATE_CANCELLED")

    assert "ended as CANCELLED" in folder.run("plan", "-input=false")
    assert folder.actions() == {"custom_job": "replace"}
    cloud.done("DELETE", f"/v1/{name}")
    assert folder.actions() == {"custom_job": "create"}
    folder.write().apply()


def test_a_read_that_fails_is_an_error_and_never_a_deletion(workspace, cloud, body, faults):
    folder = workspace("job-refused").write(custom_job=body)
    folder.apply()
    faults({"method": "GET", "path": "/customJobs/"}, {"status": "PERMISSION_DENIED", "message": "no"})

    assert "The identity lacks a permission" in folder.refused("plan", "-input=false")
    assert folder.is_unchanged()
    folder.destroy()
