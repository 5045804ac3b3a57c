"""The archive that is published: built by its one command, used by real Terraform where nothing of this repo is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provider.plugin import RELEASE
from tfplugin.archive import Contents, UnknownPython, package, pythons_found
from tfplugin.install import platform_name
from tfplugin.runner import MAGIC_COOKIE
from tfplugin.wheels import NoWheels

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
NAME = f"terraform-provider-vertex_{RELEASE.version}"
LAUNCHER = f"terraform-provider-vertex_v{RELEASE.version}"
MINOR = sys.version_info[1]
PAGE = ROOT / "docs" / "provider" / "hcl.md"


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The folder that the one command writes."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "provider", "package", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"bytecode for 3.{MINOR}" in done.stdout
    return out


@pytest.fixture(scope="module")
def unpacked(dist, tmp_path_factory):
    """As Terraform unpacks it: file modes kept."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(dist / f"{NAME}_{platform_name()}.zip") as archive:
        for entry in archive.infolist():
            Path(archive.extract(entry, folder)).chmod(entry.external_attr >> 16)
    return folder


def environment(home, **more):
    """A user's, with nothing of this repository in it."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    return {**kept, **more}


def said(folder, **variables):
    """What the launcher says when Terraform starts it, by its standard output; empty when it comes up."""
    process = subprocess.Popen(
        [folder / LAUNCHER],
        env={"PATH": os.environ["PATH"], MAGIC_COOKIE[0]: MAGIC_COOKIE[1], **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=10)
    return "" if line.startswith("1|6|unix|") else line


def test_the_archives_are_named_summed_and_described_as_a_registry_wants_them(dist):
    names = {f"{NAME}_{platform_name()}.zip", f"{NAME}_manifest.json"}
    assert {path.name for path in dist.iterdir()} == {*names, f"{NAME}_SHA256SUMS"}
    sums = (dist / f"{NAME}_SHA256SUMS").read_text()
    assert {line.split("  ")[1] for line in sums.splitlines()} == names

    subprocess.run(["sha256sum", "--check", "--strict", f"{NAME}_SHA256SUMS"], cwd=dist, check=True)
    manifest = json.loads((dist / f"{NAME}_manifest.json").read_text())
    assert manifest == {"version": 1, "metadata": {"protocol_versions": ["6.0"]}}


def test_the_archive_has_the_launcher_every_licence_and_no_test_of_ours(unpacked):
    assert os.access(unpacked / LAUNCHER, os.X_OK)
    assert (unpacked / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert "glibc 2.28" in (unpacked / "README.md").read_text()
    assert {path.name for path in (unpacked / "lib").iterdir()} == {"any", "cp311", "cp312", "cp313"}
    vendored = {path.name.partition("-")[0] for path in (unpacked / "lib").glob("*/*.dist-info")}
    assert vendored >= {"grpcio", "protobuf", "msgpack", "cryptography", "google_auth", "requests", "certifi"}
    assert list(unpacked.rglob("requirements.lock")) == []


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    for name in ("provider", "tfplugin"):
        shutil.copytree(ROOT / name, elsewhere / name)
    shutil.copy(ROOT / "LICENSE", elsewhere)
    pythons, archives = {MINOR: Path(sys.executable)}, []
    for number, root in enumerate((ROOT, elsewhere)):
        contents = Contents(root, ("provider", "tfplugin"), root / "provider" / "requirements.lock")
        out = tmp_path / str(number)
        archives.append(package(RELEASE, contents, out, platform=platform_name(), pythons=pythons, minors=[MINOR]))

    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_it_starts_without_the_users_packages_and_writes_nothing_beside_itself(unpacked, tmp_path):
    (tmp_path / "grpc.py").write_text("raise SystemExit('a package of the user was imported')")
    before = sorted(unpacked.rglob("*"))

    assert said(unpacked, PYTHONPATH=str(tmp_path)) == ""
    assert sorted(unpacked.rglob("*")) == before


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_it_starts_on_every_python_that_it_is_for(unpacked, minor):
    python = pythons_found().get(minor)
    if python is None:
        pytest.skip(f"there is no Python 3.{minor} on this machine")

    assert said(unpacked, FLANSTACK_PYTHON=str(python)) == ""


def test_an_unpacked_provider_shows_its_own_progress(unpacked, tmp_path):
    told = {"time": datetime.now(UTC).isoformat(), "resource": "vertex_thing", "id": "e/1", "phase": "BUILDING"}
    file = tmp_path / "progress.jsonl"
    file.write_text(json.dumps({**told, "phase_s": 372.0, "elapsed_s": 372.0}) + "\n")
    done = subprocess.run(
        [unpacked / LAUNCHER, "progress"],
        env=environment(tmp_path, FLANSTACK_PROGRESS_FILE=str(file)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "vertex_thing e/1  BUILDING 06:12" in done.stderr


@pytest.fixture
def of_another_age(unpacked, tmp_path):
    """The same archive for Pythons that no machine has."""
    folder = tmp_path / "other"
    shutil.copytree(unpacked, folder, ignore=shutil.ignore_patterns("cp3*"))
    for minor in (98, 99):
        (folder / "lib" / f"cp3{minor}").mkdir()
    return folder


def test_a_python_that_does_not_fit_is_refused_by_name_and_version(of_another_age):
    line = said(of_another_age)

    assert line.startswith("This provider needs Python 3.98 to 3.99; ")
    assert f"is Python 3.{MINOR}." in line
    assert line.endswith("Install one of them, or set FLANSTACK_PYTHON to its path.")


def test_terraform_shows_the_refusal(of_another_age, tmp_path):
    target = tmp_path / "stack" / "terraform.d" / "plugins" / RELEASE.source / RELEASE.version / platform_name()
    shutil.copytree(of_another_age, target)
    (tmp_path / "stack" / "main.tf").write_text(terraform_blocks()[0])
    for command in ("init", "validate"):
        done = subprocess.run(
            ["terraform", command, "-no-color"],
            cwd=tmp_path / "stack",
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert "needs Python 3.98 to 3.99" in " ".join(done.stderr.replace("│", "").split())


def test_a_machine_without_a_python_is_told_so(unpacked):
    assert "there is no python3" in said(unpacked, PATH="/nonexistent")
    assert "FLANSTACK_PYTHON is /nonexistent, which is no program" in said(unpacked, FLANSTACK_PYTHON="/nonexistent")


def test_a_library_that_does_not_load_is_named(unpacked, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(unpacked, folder, ignore=shutil.ignore_patterns("cygrpc*"))

    assert re.match(r"The provider's libraries do not load here: .*cygrpc.*README.md says what they need", said(folder))


def test_a_python_to_compile_with_must_be_one_the_archive_is_for(tmp_path):
    with pytest.raises(UnknownPython, match="/nonexistent is no Python"):
        pythons_found([Path("/nonexistent")])
    with pytest.raises(UnknownPython, match=rf"is Python 3\.{MINOR}; allowed are 3\.98"):
        pythons_found([Path(sys.executable)], minors=[98])


def test_a_package_that_differs_from_its_hash_is_refused(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"tf==1.2.0 --hash=sha256:{'0' * 64}\n")

    contents = Contents(ROOT, ("provider",), lock)
    with pytest.raises(NoWheels, match="HASHES"):
        package(RELEASE, contents, tmp_path, platform=platform_name(), pythons={}, minors=[MINOR])
    assert list(tmp_path.glob("*.zip")) == []


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def terraform_blocks():
    return blocks("terraform")


def test_the_page_on_plain_hcl_holds_word_for_word(dist, cloud, tmp_path):
    home, stack = tmp_path / "home", tmp_path / "stack"
    home.mkdir()
    stack.mkdir()
    archive = f"{NAME}_{platform_name()}.zip"
    shutil.copy(dist / archive, stack)
    install, apply, destroy = (text.replace("linux_amd64", platform_name()) for text in blocks("sh"))
    main, variables = terraform_blocks()
    endpoint = cloud.endpoint("777")
    values = {"project": "flan", "image_uri": cloud.image("hcl"), "endpoint": endpoint}
    for name, value in values.items():
        variables = re.sub(rf'^({name}\s+= )".*"$', rf'\1"{value}"', variables, flags=re.MULTILINE)
    (stack / "main.tf").write_text(main)
    (stack / "terraform.tfvars").write_text(variables)
    # Where the page means Google Cloud, the test means the local one; nothing else differs.
    override = {"provider": {"vertex": {"api_endpoint": cloud.url, "access_token": "local"}}}
    (stack / "local_override.tf.json").write_text(json.dumps(override))

    def run(script, code=0):
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=stack,
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    run(install)
    assert "Apply complete! Resources: 2 added" in run(apply)
    deployed = cloud.call("GET", f"/v1/{endpoint}")["deployedModels"]
    run("terraform plan -detailed-exitcode")  # 2 when there is something to do
    assert "Resources: 2 destroyed" in run(destroy)
    assert [one["displayName"] for one in deployed] == ["Flan-T5"]
    assert not cloud.exists("/v1/projects/flan/locations/europe-west4/models/flan-t5")
