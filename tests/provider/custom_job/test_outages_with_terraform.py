"""A custom job whose local cloud, or whose provider, dies while Terraform waits for it: one job, and its result."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e]

ROOT = Path(__file__).resolve().parents[3]
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


class Cloud:
    """A local cloud of this test's own, which may die and come back."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "localcloud", "serve", "--port", str(self.port), "--data", str(self.folder)]
        command += ["--project", "flan=123456789012", "--stage-seconds", "0.01", "--grace", "1"]
        with (self.folder.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self.wait_for(lambda: self.call("GET", "/localcloud/status"))

    def kill(self, number):
        self.process.send_signal(number)
        self.process.wait(20)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        url, headers = f"http://127.0.0.1:{self.port}{path}", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def wait_for(self, condition):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if condition():
                    return
            time.sleep(0.05)
        pytest.fail("not within 30 s")

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
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                break
    cloud = Cloud(tmp_path / "data", port)
    cloud.start()
    yield cloud
    cloud.kill(signal.SIGTERM)


@pytest.fixture
def folder(own, workspace, tmp_path):
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "train.py").write_text(TRAIN)
    uri, config = "europe-west4-docker.pkg.dev/flan/images/train", {"cmd": ["python", "train.py"]}
    body = {"uri": f"{uri}:v1", "folder": str(tmp_path / "image"), "config": config}
    digest = own.call("POST", "/localcloud/images", body)["digest"]
    own.call("POST", "/storage/v1/b?project=flan", {"name": "flan-training"})
    made = workspace("job-outage")
    made.settings = made.settings | {"api_endpoint": f"http://127.0.0.1:{own.port}"}
    pool = {"machine_spec": [{"machine_type": "n1-standard-4"}], "container_spec": [{"image_uri": f"{uri}@{digest}"}]}
    return made.write(custom_job={"display_name": "Outage", "worker_pool_specs": [pool]})


def test_a_job_goes_on_when_the_cloud_was_gone_for_a_while(own, folder):
    process = folder.start("apply", "-auto-approve")
    own.wait_for(lambda: own.starts() == 1)
    own.kill(signal.SIGKILL)
    folder.wait_for_phase("UNREACHABLE")
    own.start()
    own.wait_for(lambda: own.starts() == 2)  # it was started again, and found its checkpoint
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
