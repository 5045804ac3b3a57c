"""`python -m localcloud`: help, refusals, stop."""

import signal
import socket
import subprocess
import sys

import pytest


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_every_option_with_its_default():
    shown = run("serve", "--help").stdout

    for words in ("--port", "--data", "--project", "--stage-seconds", "default: 8700"):
        assert words in shown


def test_a_port_that_another_local_cloud_has_is_refused_with_its_pid_and_folder(start, tmp_path):
    cloud = start()

    refused = run("serve", "--port", str(cloud.port), "--data", str(tmp_path / "other"))

    assert refused.returncode == 1
    assert refused.stderr.startswith("local cloud: ")
    for words in (f"Port {cloud.port}", f"pid {cloud.process.pid}", str(cloud.data_dir), "--port"):
        assert words in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="who listens is read from /proc")
def test_a_port_that_another_program_has_is_refused_with_its_pid(tmp_path):
    code = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); "
    code += "print(s.getsockname()[1], flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        port = holder.stdout.readline().strip()

        refused = run("serve", "--port", port, "--data", str(tmp_path / "data"))

        assert refused.returncode == 1
        assert f"process {holder.pid} listens there" in refused.stderr
    finally:
        holder.kill()
        holder.communicate()


def test_a_data_folder_is_served_once(start):
    cloud = start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    refused = run("serve", "--port", str(port), "--data", str(cloud.data_dir))

    assert refused.returncode == 1
    assert f"pid {cloud.process.pid} already serves {cloud.data_dir}" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--project", "no-number"], "ID=NUMBER"),
        (["--project", "p=x"], "must be digits"),
        (["--port", "70000"], "between 1 and 65535"),
        (["--stage-seconds", "-1"], "must not be negative"),
    ],
)
def test_a_bad_option_is_refused_with_the_value_and_what_is_allowed(tmp_path, arguments, words):
    refused = run("serve", "--data", str(tmp_path), *arguments)

    assert (refused.returncode, words in refused.stderr) == (1, True), refused.stderr


def test_stop_ends_it_with_its_containers_and_a_second_stop_has_nothing_to_do(start):
    cloud = start()
    cloud.deploy(cloud.endpoint(), cloud.model())

    stopped, again = run("stop", "--port", str(cloud.port)), run("stop", "--port", str(cloud.port))

    assert (stopped.returncode, "has stopped" in stopped.stdout) == (0, True)
    assert cloud.process.wait(5) == 0
    assert (again.returncode, "nothing to stop" in again.stdout) == (0, True)
    assert run("status", "--port", str(cloud.port)).returncode == 1


def test_a_second_signal_changes_nothing(start):
    cloud = start()
    cloud.process.send_signal(signal.SIGINT)

    assert cloud.end(signal.SIGTERM) == 0


def test_an_unknown_path_is_answered_in_googles_shape(cloud):
    error = cloud.refusal("GET", "/v1/nothing/here")

    assert (error["code"], error["status"], "/v1/nothing/here" in error["message"]) == (404, "NOT_FOUND", True)


def test_bodies_that_are_no_json_are_refused(cloud):
    answer = cloud.http.post(f"/v1/{cloud.parent}/endpoints", content=b"{not json")

    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_client_that_takes_it_for_its_proxy_is_understood(cloud):
    with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
        path = f"/v1/{cloud.parent}/endpoints"
        connection.sendall(
            f"GET http://aiplatform.invalid{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )

        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 200")
