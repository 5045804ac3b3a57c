"""What is missing on a machine is said in one sentence with its cure."""

import socket

import pytest

from scripts import machine
from scripts.local_cloud import LocalCloud
from scripts.machine import MachineUnfit


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_another_python_is_refused_with_the_ones_that_serve(version):
    with pytest.raises(MachineUnfit, match=r"3\.1[04] is running this; 3\.11 to 3\.13 is needed"):
        machine.check_python(version)


@pytest.mark.parametrize(("check", "program"), [(machine.check_node, "node"), (machine.check_terraform, "terraform")])
def test_a_missing_program_is_named_with_where_to_get_it(check, program, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MachineUnfit, match=rf"{program} is not on PATH.*Install it from"):
        check()


def test_an_old_terraform_is_refused(monkeypatch, tmp_path):
    old = tmp_path / "terraform"
    old.write_text("#!/bin/sh\necho Terraform v1.4.9\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(MachineUnfit, match=r"terraform 1\.4 is on PATH; 1\.5 or newer"):
        machine.check_terraform()


def test_a_full_disk_is_said_with_both_figures(tmp_path):
    with pytest.raises(MachineUnfit, match=r"GB are free on the disk of .*; 1000000000\.0 GB are needed"):
        machine.check_disk(1e9, folder=tmp_path)


def test_a_port_that_another_program_holds_is_named_before_anything_starts(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        cloud = LocalCloud(f"http://127.0.0.1:{port}", "p", "1", data_dir=tmp_path, log=tmp_path / "log")

        with pytest.raises(MachineUnfit, match=rf"Port {port} on 127\.0\.0\.1 is in use by another program"):
            cloud.start()

    assert not (tmp_path / "log").exists()


def test_a_config_file_that_is_gone_is_not_passed_on_to_terraform(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "gone"))
    assert "TF_CLI_CONFIG_FILE" not in machine.terraform_environment()

    (tmp_path / "gone").write_text("")
    assert machine.terraform_environment()["TF_CLI_CONFIG_FILE"] == str(tmp_path / "gone")
