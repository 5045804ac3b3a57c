"""What survives a restart of the local cloud, and that nothing survives its end."""

import shutil
import signal
import time
from pathlib import Path

import pytest


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, timeout_s=10):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_restart_keeps_the_state_and_brings_the_processes_back(start):
    cloud = start()
    endpoint, model = cloud.endpoint(), cloud.model()
    cloud.deploy(endpoint, model)
    (before,) = cloud.processes()
    assert cloud.end() == 0
    assert not is_alive(before["pid"])

    again = start()

    assert again.call("GET", f"/v1/{endpoint}")["name"] == endpoint
    assert wait_until(lambda: [one["state"] for one in again.processes()] == ["healthy"])
    assert again.predict(endpoint)["predictions"][0]["greeting"] == "hello"
    (after,) = again.processes()
    assert after["pid"] != before["pid"]


def test_a_project_number_that_was_derived_is_still_known_after_a_restart(start):
    cloud = start()
    name = cloud.operation("POST", "/v1/projects/another/locations/europe-west4/endpoints", {"displayName": "E"})
    number = name["response"]["name"]
    cloud.end()

    assert start().call("GET", f"/v1/{number}")["displayName"] == "E"


def test_a_deployment_that_a_restart_interrupts_is_finished_after_it(start):
    cloud = start()
    endpoint, model = cloud.endpoint(), cloud.model()
    cloud.fault(match={"operation": "deployModel", "stage": "GETTING"}, effect={"hold": True})
    name = cloud.start_deploy(endpoint, model, id="42")
    cloud.end(signal.SIGKILL)

    again = start()

    assert again.wait(name)["response"]["deployedModel"]["id"] == "42"
    assert again.predict(endpoint)["deployedModelId"] == "42"
    assert len(again.processes()) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_local_cloud(start, tmp_path, number):
    cloud = start()
    endpoint = cloud.endpoint()
    script = (
        "import os, subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "open(os.environ['PID_FILE'], 'w').write(f'{os.getpid()} {child.pid}');"
        "exec(open('server.py').read())"
    )
    pid_file = tmp_path / "pids"
    cloud.deploy(endpoint, cloud.model(command=["python", "-c", script], env={"PID_FILE": str(pid_file)}))
    pids = [*map(int, pid_file.read_text().split()), cloud.processes()[0]["pid"]]
    assert all(is_alive(pid) for pid in pids)

    code = cloud.end(number)

    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids)), [pid for pid in pids if is_alive(pid)]


def test_the_journal_counts_requests_over_a_restart(start):
    cloud = start()
    cloud.endpoint()
    cloud.end()

    again = start()
    again.endpoint()

    creates = again.http.get("/localcloud/journal", params={"method": "POST", "path": "/endpoints$"}).json()["requests"]
    assert [(one["method"], one["status"]) for one in creates] == [("POST", 200), ("POST", 200)]
    assert all(one["path"].endswith("/endpoints") for one in creates)
    assert again.http.get("/localcloud/journal", params={"path": "/localcloud/"}).json() == {"requests": []}
    again.call("DELETE", "/localcloud/journal")
    assert again.call("GET", "/localcloud/journal") == {"requests": []}


def test_a_container_that_cannot_be_started_again_leaves_the_rest_running(start):
    cloud = start()
    lost, kept = cloud.endpoint(), cloud.endpoint()
    cloud.deploy(lost, cloud.model(imageUri=cloud.image(env={"ONLY": "here"})))
    cloud.deploy(kept, cloud.model())
    (folder,) = [one["image"].rpartition(":")[2] for one in cloud.processes(under=lost.rsplit("/", 1)[1])]
    cloud.end()
    shutil.rmtree(cloud.data_dir / "images" / folder)

    again = start()

    assert wait_until(lambda: any(one["state"] == "healthy" for one in again.processes()))
    assert again.predict(kept)["predictions"]
    error = again.refusal("POST", f"/v1/{lost}:predict", {"instances": [1]})
    assert (error["status"], "no healthy replica" in error["message"]) == ("UNAVAILABLE", True)
