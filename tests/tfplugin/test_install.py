import os
import subprocess

import pytest

from tfplugin import install as module
from tfplugin.install import Release, UnknownPlatform, install, platform_name

RELEASE = Release(source="host.test/namespace/kind", version="1.2.3", module="some.module")


def test_the_launcher_lies_where_terraform_looks_in_a_mirror(tmp_path):
    path = install(RELEASE, tmp_path / "new" / "mirror", root=tmp_path)

    place = f"host.test/namespace/kind/1.2.3/{platform_name()}/terraform-provider-kind_v1.2.3"
    assert path == tmp_path / "new" / "mirror" / place
    assert os.access(path, os.X_OK)


def test_paths_with_spaces_and_quotes_are_kept_whole(tmp_path):
    root = tmp_path / "it's a folder"
    (root / "some").mkdir(parents=True)
    (root / "some" / "module.py").write_text("import sys; print(sys.argv[1:])")

    launcher = install(RELEASE, tmp_path, root=root)
    done = subprocess.run([launcher, "a b"], capture_output=True, text=True, check=True)
    assert done.stdout == "['a b']\n"


def test_a_second_installation_touches_nothing(tmp_path):
    path = install(RELEASE, tmp_path, root=tmp_path)
    before = path.stat()
    install(RELEASE, tmp_path, root=tmp_path)

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_launcher_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = install(RELEASE, tmp_path, root=tmp_path)
    path.write_text("#!/bin/sh\nexit 1\n")
    install(RELEASE, tmp_path, root=tmp_path)

    assert "some.module" in path.read_text()
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_machine_that_terraform_has_no_name_for_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module.platform, "machine", lambda: "z80")

    with pytest.raises(UnknownPlatform, match="z80 is none of"):
        install(RELEASE, tmp_path, root=tmp_path)
