"""A custom job whose local cloud, or whose provider, dies while Terraform waits for it: one job, and its result."""

from __future__ import annotations

import contextlib
import os
import signal
import textwrap
from pathlib import Path

import pytest

from tests.provider.local_cloud import Cloud, free_port_pair, serving_command
from tests.provider.workspace import wait_for

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
# Goes on from its checkpoint when it is started again; ends once it may.
TRAIN = textwrap.dedent("""
    import os, time
    from google.cloud import storage

    bucket = storage.Client().bucket("flan-training")
    checkpoint = bucket.blob("checkpoint")
    starts = int(checkpoint.download_as_text()) + 1 if checkpoint.exists() else 1
    checkpoint.upload_from_string(str(starts))
    print("start", starts, flush=True)
    while not bucket.blob("go").exists():
        time.sleep(0.05)
""")


class TrainingCloud(Cloud):
    """A local cloud of this test's own, which may die and come back."""

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def put(self, name, text=""):
        self.call("POST", f"/upload/storage/v1/b/flan-training/o?uploadType=media&name={name}", text)

    def jobs(self):
        return self.call("GET", f"/v1/{PARENT}/customJobs").get("customJobs", [])

    def starts(self):
        """How often the one job's container has begun, by what it wrote into the bucket."""
        with contextlib.suppress(OSError):
            return int(self.call("GET", "/storage/v1/b/flan-training/o/checkpoint?alt=media"))
        return 0


@pytest.fixture
def own(tmp_path):
    port = free_port_pair()
    command = serving_command(port, tmp_path / "data", "--grace", "1")
    cloud = TrainingCloud(f"http://127.0.0.1:{port}", command, tmp_path / "log")
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def folder(own, workspace, tmp_path):
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "train.py").write_text(TRAIN)
    uri, config = "europe-west4-docker.pkg.dev/flan/images/train", {"cmd": ["python", "train.py"]}
    body = {"uri": f"{uri}:v1", "folder": str(tmp_path / "image"), "config": config}
    digest = own.call("POST", "/localcloud/images", body)["digest"]
    own.call("POST", "/storage/v1/b?project=flan", {"name": "flan-training"})
    made = workspace("job-outage")
    made.settings = made.settings | {"api_endpoint": own.url}
    pool = {"machine_spec": [{"machine_type": "n1-standard-4"}], "container_spec": [{"image_uri": f"{uri}@{digest}"}]}
    return made.write(custom_job={"display_name": "Outage", "worker_pool_specs": [pool]})


def test_a_job_goes_on_when_the_cloud_was_gone_for_a_while(own, folder):
    process = folder.start("apply", "-auto-approve")
    wait_for(lambda: own.starts() == 1)
    own.kill()
    folder.wait_for_phase("UNREACHABLE")
    own.start()
    wait_for(lambda: own.starts() == 2)  # it was started again, and found its checkpoint
    own.put("go")
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 0, output
    assert [one["state"] for one in own.jobs()] == ["JOB_STATE_SUCCEEDED"]
    assert folder.is_unchanged()


def plugin_of(terraform):
    threads = Path(f"/proc/{terraform.pid}/task").iterdir()
    return {int(one) for thread in threads for one in (thread / "children").read_text().split()}


def test_a_provider_that_was_killed_leaves_a_job_that_the_next_apply_adopts(own, folder):
    process = folder.start("apply", "-auto-approve")
    folder.wait_for_phase("RUNNING")
    for pid in plugin_of(process):
        os.kill(pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    own.put("go")
    folder.apply()

    assert [one["state"] for one in own.jobs()] == ["JOB_STATE_SUCCEEDED"]
    assert own.starts() == 1
    assert folder.is_unchanged()
    folder.destroy()
    assert own.jobs() == []
