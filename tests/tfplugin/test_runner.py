"""The plugin as Terraform runs it: started, stopped, abandoned."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tfplugin.runner import MAGIC_COOKIE

pytestmark = [pytest.mark.e2e]

NESTED = {"lid": [{"colour": "red", "hinge": [{"metal": "iron"}, {"metal": "brass", "screws": 2}]}]}


def plugin_of(terraform):
    threads = Path(f"/proc/{terraform.pid}/task").iterdir()
    (plugin,) = [one for thread in threads for one in (thread / "children").read_text().split()]
    return int(plugin)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, timeout_s=15.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_terraform_applies_nested_blocks_and_then_plans_nothing(stack, environment):
    stack.write(name="full", tags=["a"], sticker=[{"text": "b"}, {"text": "a"}], **NESTED)
    stack.run("apply", "-auto-approve")

    state = stack.instance()["attributes"]
    assert state["lid"][0]["weight"] == 7
    assert [one["screws"] for one in state["lid"][0]["hinge"]] == [4, 2]
    stack.run("plan", "-detailed-exitcode")
    assert list(Path(environment["HOME"]).iterdir()) == []  # no key, no cache, in the home folder
    assert list(Path(environment["TMPDIR"]).glob("tfplugin-*")) == []


def test_what_an_error_kept_stays_in_the_state_and_is_tainted(stack):
    output = stack.write(name="half", behaviour="half").run("apply", "-auto-approve", code=1)

    assert "Half a box" in output
    assert (stack.instance()["attributes"]["id"], stack.instance()["status"]) == ("box/half", "tainted")


def test_an_unforeseen_error_is_told_with_its_place_and_no_traceback(stack):
    output = stack.write(name="crash", behaviour="crash").run("apply", "-auto-approve", code=1)

    assert "ZeroDivisionError: boxes by zero" in output
    assert "toy_provider.py:" in output
    assert "Traceback" not in output


def test_an_interrupt_reaches_the_call_in_flight_and_its_state_is_kept(stack):
    terraform = stack.write(name="slow", behaviour="wait").start("apply", "-auto-approve")
    while "Creating..." not in terraform.stdout.readline():
        pass
    time.sleep(0.3)
    terraform.send_signal(signal.SIGINT)
    output, _ = terraform.communicate(timeout=20)

    assert terraform.returncode == 1
    assert "Stopped half-way" in output
    assert "Plugin did not respond" not in output
    assert stack.instance()["attributes"]["id"] == "box/slow"


def test_a_plugin_whose_terraform_was_killed_goes_and_leaves_no_socket(stack, environment):
    terraform = stack.write(name="orphan", behaviour="wait").start("apply", "-auto-approve")
    while "Creating..." not in terraform.stdout.readline():
        pass
    plugin = plugin_of(terraform)
    terraform.kill()
    terraform.communicate()

    wait_until(lambda: not is_running(plugin), timeout_s=8)
    assert list(Path(environment["TMPDIR"]).glob("tfplugin-*")) == []


def started(launcher, environment):
    variables = environment | {MAGIC_COOKIE[0]: MAGIC_COOKIE[1]}
    return subprocess.Popen([launcher], env=variables, stdout=subprocess.PIPE, text=True)


def test_the_handshake_is_one_line_and_quick(launcher, environment):
    times = []
    for _ in range(3):
        start = time.monotonic()
        plugin = started(launcher, environment)
        line = plugin.stdout.readline()
        times.append(time.monotonic() - start)
        plugin.terminate()
        plugin.communicate(timeout=10)

        assert line.split("|")[:3] == ["1", "6", "unix"]
        assert line.split("|")[4] == "grpc"
        assert plugin.returncode == 0
    assert min(times) < 1.0, times  # 0.17 s on an idle machine


def test_only_its_user_can_reach_the_socket_and_each_run_has_a_key_of_its_own(launcher, environment):
    plugins = [started(launcher, environment) for _ in range(2)]
    lines = [plugin.stdout.readline().strip().split("|") for plugin in plugins]
    folders = [Path(line[3]).parent.stat().st_mode & 0o777 for line in lines]
    for plugin in plugins:
        plugin.terminate()
        plugin.communicate(timeout=10)

    assert folders == [0o700, 0o700]
    assert lines[0][5] != lines[1][5]


def test_a_plugin_started_by_hand_says_who_starts_it(environment):
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "provider"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "Terraform starts it" in done.stderr


def test_terraform_reads_a_data_source_at_plan_and_waits_for_what_is_not_known_yet(stack):
    stack.write(name="ab", scales={"name": "anvil"})
    assert "grams = 5" in " ".join(stack.run("plan").split())

    stack.write(name="ab", scales={"name": "${toy_box.this.id}"})
    assert "known after apply" in stack.run("plan")
    stack.run("apply", "-auto-approve")
    assert stack.output("grams") == len("box/ab")
    assert "No changes" in stack.run("plan", "-detailed-exitcode")


def test_terraform_shows_why_a_data_source_found_nothing(stack):
    stack.write(name="ab", scales={"name": "ghost"})

    assert "A ghost weighs nothing." in stack.run("plan", code=1)
