"""What the doctor says of this machine and of the checkpoint's files."""

import hashlib
import json
import os
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cdk.providers import GOOGLE_SOURCE, GOOGLE_VERSION, VERTEX_SOURCE, VERTEX_VERSION
from scripts.doctor import room
from scripts.doctor.programs import programs
from scripts.doctor.room import disk, ports
from scripts.doctor.weights import WeightsUnreachable, judged, remote_sums, weights
from tests.provider.local_cloud import ROOT, free_port_pair


def by_subject(findings):
    return {one.subject: one for one in findings}


@pytest.fixture
def checkout(tmp_path):
    """A folder with what `make install` leaves."""
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    shutil.copy(ROOT / "package.json", tmp_path)
    for source, version in ((VERTEX_SOURCE, VERTEX_VERSION), (GOOGLE_SOURCE, GOOGLE_VERSION)):
        folder = tmp_path / ".flanstack/plugins/local" / source / version / "linux_amd64"
        folder.mkdir(parents=True)
        (folder / f"terraform-provider-x_v{version}").write_text("#!/bin/sh\nexec /usr/bin/env python3\n")
    return tmp_path


@pytest.mark.skipif(not (ROOT / "node_modules").exists(), reason="`make install` was not run")
def test_an_installed_checkout_is_healthy(project, checkout):
    findings = list(programs(project.config, root=checkout))

    assert [(one.subject, one.level) for one in findings] == [
        (name, "ok") for name in ("Terraform", "Node", "cdktf", "providers", "providers")
    ]


def test_what_is_not_installed_is_a_failure_that_make_install_cures(project, checkout):
    (checkout / "node_modules").unlink()
    shutil.rmtree(checkout / ".flanstack/plugins/local" / VERTEX_SOURCE / VERTEX_VERSION)
    (checkout / ".flanstack/plugins/local" / VERTEX_SOURCE / "0.0.9").mkdir()

    wrong = [one for one in programs(project.config, root=checkout) if one.level == "failure"]

    assert [one.subject for one in wrong] == ["Node", "cdktf", "providers"]
    assert {one.cure for one in wrong} == {"make install"}
    assert "there: 0.0.9" in wrong[-1].text


def test_a_provider_whose_python_is_gone_is_a_failure(project, checkout):
    (launcher,) = (checkout / ".flanstack/plugins/local" / VERTEX_SOURCE).glob("*/*/*")
    launcher.write_text("#!/bin/sh\nexec /moved/away/.venv/bin/python -m provider\n")

    (wrong,) = [one for one in programs(project.config, root=checkout) if one.level == "failure"]

    assert "starts /moved/away/.venv/bin/python, which is gone" in wrong.text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('{"terraform_version": "1.4.7"}', "1.4.7 is on PATH, 1.5 or newer"),
        ("no JSON", "no terraform on PATH that tells its version"),
    ],
)
def test_an_unfit_terraform_is_a_failure(project, checkout, tmp_path, monkeypatch, said, expected):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "terraform"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(
        "scripts.doctor.programs.terraform_environment", lambda: {**os.environ, "PATH": str(program.parent)}
    )

    finding = by_subject(programs(project.config, root=checkout))["Terraform"]

    assert finding.level == "failure"
    assert expected in finding.text


@pytest.mark.parametrize(("free_gb", "level"), [(50, "ok"), (1.5, "warning"), (0.1, "failure")])
def test_free_disk_is_measured(tmp_path, monkeypatch, free_gb, level):
    usage = shutil.disk_usage(tmp_path)._replace(free=int(free_gb * 1e9))
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage)

    (finding,) = disk(folder=tmp_path)

    assert finding.level == level


def test_ports_are_free_or_the_local_cloud_s_or_in_the_way(project):
    assert "a local cloud listens" in by_subject(ports(project.config, project.api))["ports"].text

    elsewhere = project.config.google.model_copy(update={"api_endpoint": f"http://127.0.0.1:{free_port_pair()}"})
    config = project.config.model_copy(update={"google": elsewhere})
    assert by_subject(ports(config, project.api_of(config)))["ports"].level == "ok"

    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", int(str(elsewhere.api_endpoint).rpartition(":")[2])))
        finding = by_subject(ports(config, project.api_of(config)))["ports"]
    assert finding.level == "failure"
    assert "in use by another program" in finding.text


def test_a_deployment_to_google_needs_no_port_here(project):
    google = project.config.google.model_copy(update={"api_endpoint": None})
    config = project.config.model_copy(update={"google": google})

    assert by_subject(ports(config, project.api_of(config)))["ports"].text == "none are needed here"


def test_the_weights_of_the_repository_are_hashed(project):
    (finding,) = weights(project.config)

    assert (finding.level, finding.subject) == ("ok", "weights")
    assert "6 with the pinned sum" in finding.text


def test_missing_changed_and_unpinned_weights_are_failures(new_project, tmp_path):
    files = {"config.json": "", "a.safetensors": f"sha256:{'0' * 64}", "gone.json": f"sha256:{'1' * 64}"}
    project = new_project(model__weights={"source": "m", "files": files})
    (tmp_path / "m").mkdir()
    for name in ("config.json", "a.safetensors"):
        (tmp_path / "m" / name).write_text("x")

    texts = [(one.level, one.text) for one in weights(project.config, root=tmp_path)]

    assert texts == [
        ("failure", "no sum is pinned for config.json; the build refuses such a file"),
        ("failure", "m has no gone.json"),
        ("failure", "a.safetensors in m: not the pinned sha256; the build refuses them"),
    ]


@pytest.fixture
def hub():
    """A hub's answers to HEAD, as it gives them: large files by a redirect that tells their sha256."""
    right = hashlib.sha256(b"right").hexdigest()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            name = self.path.rpartition("/")[2]
            code = {"large.bin": 302, "small.json": 200, "broken": 500}.get(name, 404)
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "https://elsewhere.invalid/x")
                self.send_header("X-Linked-ETag", f'"{right}"')
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/m/resolve/main", f"sha256:{right}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_hub_tells_what_is_there_and_the_sums_of_large_files(hub):
    source, right = hub

    found = remote_sums(source, ["large.bin", "small.json", "gone.json"])

    assert found == {"large.bin": right, "small.json": "", "gone.json": None}


def test_what_a_hub_tells_is_held_against_the_pins(hub):
    source, right = hub
    found = remote_sums(source, ["large.bin", "small.json"])
    pinned = {"large.bin": right, "small.json": f"sha256:{'2' * 64}"}

    (fine,) = judged(source, pinned, found, cure="make pin-weights")
    (wrong,) = judged(source, pinned | {"large.bin": f"sha256:{'3' * 64}"}, found, cure="make pin-weights")

    assert (fine.level, fine.text) == (
        "ok",
        f"2 files in {source}, 1 with the pinned sum, 1 whose sum is not told before the build",
    )
    assert wrong.level == "failure"


def test_a_hub_that_fails_tells_nothing_of_its_files(hub):
    with pytest.raises(WeightsUnreachable, match="answered 500"):
        remote_sums(hub[0], ["broken"])


def test_package_json_names_the_version_of_cdktf_that_is_wanted():
    assert json.loads((ROOT / "package.json").read_text())["dependencies"]["cdktf-cli"] == "0.21.0"
