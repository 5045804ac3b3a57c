"""Supervised processes: started, watched, restarted, stopped. Real ones, without a local cloud around them."""

import os
import sys
import time
from pathlib import Path

import pytest

from localcloud.faults import Faults
from localcloud.runtime.environment import base_environment
from localcloud.runtime.group import expand
from localcloud.runtime.ports import Ports
from localcloud.runtime.probes import Probe, Probes
from localcloud.runtime.process import Timing
from localcloud.runtime.supervisor import Supervisor

LISTEN = "import os, http.server as h; h.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler)"


@pytest.fixture
def supervisor():
    one = Supervisor(faults=Faults(), timing=Timing(period_s=0.05, grace_s=1))
    yield one
    one.stop_all()


@pytest.fixture
def start(supervisor, tmp_path):
    def start_(code, *, name="web", probes=None, preferred_port=0):
        return supervisor.start(
            name,
            command=["python", "-c", code],
            cwd=tmp_path,
            env=base_environment({}, metadata_host="127.0.0.1:1", data_dir=tmp_path),
            preferred_port=preferred_port,
            port_variable="PORT",
            log=tmp_path / f"{name}.log",
            probes=probes,
        )

    return start_


def wait_until(condition, timeout_s=10):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def is_alive(pid):
    path = Path(f"/proc/{pid}/stat")
    try:
        return path.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_open_port_is_health_where_no_route_is_asked_for(start):
    process = start(LISTEN + ".serve_forever()")

    assert process.wait_healthy(10)
    assert process.state == "healthy"


def test_a_route_that_does_not_answer_200_is_no_health_and_no_reason_to_restart(start):
    process = start(LISTEN + ".serve_forever()", probes=Probes(health=Probe(path="/missing")))

    assert not process.wait_healthy(1)
    assert (process.state, process.restarts) == ("starting", 0)
    assert "/missing answered 404" in process.reason


def test_a_healthy_process_that_stops_being_so_leaves_the_traffic_and_comes_back(start, tmp_path):
    flag = tmp_path / "flag"
    flag.write_text("")
    process = start(LISTEN + ".serve_forever()", probes=Probes(health=Probe(path="/flag")))
    assert process.wait_healthy(10)

    flag.unlink()
    wait_until(lambda: process.state == "unhealthy")
    flag.write_text("")
    wait_until(lambda: process.state == "healthy")

    assert process.restarts == 0


def test_a_process_that_exits_is_restarted_with_growing_pauses(start, tmp_path):
    process = start(f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); import time; raise SystemExit(3)")

    wait_until(lambda: process.restarts >= 3)

    assert process.last_exit == 3
    assert process.reason == "it exited with 3"


def test_a_port_that_never_opens_restarts_the_process_after_the_window(start):
    process = start("import time; time.sleep(60)", probes=Probes(liveness=Probe(window_s=0.3)))

    wait_until(lambda: process.restarts >= 1)

    assert "no answer for 0.3 s" in process.log_tail()


def test_health_waits_for_the_startup_probe(start, tmp_path):
    probes = Probes(startup=Probe(path="/started", window_s=30), liveness=Probe(window_s=0.2))
    process = start("import time; time.sleep(0.5); " + LISTEN + ".serve_forever()", probes=probes)
    assert not process.wait_healthy(1.5)
    assert process.restarts == 0  # the liveness window of 0.2 s did not count yet

    (tmp_path / "started").write_text("")

    assert process.wait_healthy(10)


def test_an_exec_probe_runs_in_the_containers_folder_and_environment(start, tmp_path):
    (tmp_path / "ready").write_text("")
    command = ("python", "-c", "import os, sys; sys.exit(not os.path.exists('ready') or 'PORT' not in os.environ)")

    process = start(LISTEN + ".serve_forever()", probes=Probes(health=Probe(command=command)))

    assert process.wait_healthy(10)


def test_stop_gives_the_grace_time_and_then_kills_the_whole_group(start, supervisor, tmp_path):
    code = (
        "import os, signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}');" + LISTEN + ".serve_forever()"
    )
    process = start(code)
    assert process.wait_healthy(10)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    began = time.monotonic()

    supervisor.stop("web")

    assert 0.9 < time.monotonic() - began < 4
    wait_until(lambda: not any(is_alive(pid) for pid in pids))  # the orphan is init's to bury
    assert "killed" in process.log_tail()
    assert (process.state, process.pid, supervisor.list()) == ("stopped", None, [])


def test_a_process_that_heeds_sigterm_ends_at_once(start, supervisor):
    code = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); " + LISTEN + ".serve_forever()"
    process = start(code)
    assert process.wait_healthy(10)

    supervisor.stop("web")

    assert process.last_exit == 0


def test_a_second_start_of_a_name_replaces_the_first(start, supervisor):
    first = start(LISTEN + ".serve_forever()")
    assert first.wait_healthy(10)

    second = start(LISTEN + ".serve_forever()")

    assert second.wait_healthy(10)
    assert (first.state, supervisor.get("web")) == ("stopped", second)


def test_a_preferred_port_is_used_and_another_when_it_is_taken(start):
    ports = Ports()
    wanted = ports.take()
    ports.give_back(wanted)

    first = start(LISTEN + ".serve_forever()", name="a", preferred_port=wanted)
    assert first.wait_healthy(10)
    second = start(LISTEN + ".serve_forever()", name="b", preferred_port=wanted)
    assert second.wait_healthy(10)

    assert first.port == wanted
    assert second.port not in (0, wanted)


def test_a_command_that_is_not_there_says_so_in_the_log(supervisor, tmp_path):
    process = supervisor.start(
        "x",
        command=["no-such-command"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        preferred_port=0,
        port_variable="PORT",
        log=tmp_path / "x.log",
    )

    wait_until(lambda: process.last_exit == 127)

    assert "exec: no-such-command: No such file or directory" in process.log_tail()


def test_a_folder_that_is_not_there_stops_it_and_says_why(supervisor, tmp_path):
    process = supervisor.start(
        "x",
        command=[sys.executable],
        cwd=tmp_path / "gone",
        env={},
        preferred_port=0,
        port_variable="PORT",
        log=tmp_path / "x.log",
    )

    assert not process.wait_healthy(5)
    assert process.state == "stopped"
    assert "gone" in process.reason


def test_an_empty_command_is_refused(supervisor, tmp_path):
    with pytest.raises(ValueError, match="needs a CMD"):
        supervisor.start(
            "x", command=[], cwd=tmp_path, env={}, preferred_port=0, port_variable="PORT", log=tmp_path / "x.log"
        )


@pytest.mark.parametrize(
    ("word", "expanded"),
    [("$(A)", "1"), ("x$(A)y$(B)", "x1y2"), ("$$(A)", "$(A)"), ("$(UNKNOWN)", "$(UNKNOWN)"), ("$A", "$A")],
)
def test_variables_are_expanded_as_kubernetes_does(word, expanded):
    assert expand(word, {"A": "1", "B": "2"}) == expanded
