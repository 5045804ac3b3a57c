"""What is written beside each stack's JSON lets plain terraform and cdktf work, the same each time."""

import json
import os
import shutil
import subprocess

import pytest

from cdk.config import ROOT, load
from cdk.images import Images
from cdk.workspace import furnish

STACKS = ("registry", "model", "endpoint", "ui")
MIRROR = ROOT / ".flanstack" / "plugins" / "local"
LOCK = """provider "flanstack.local/flanstack/vertex" {
  version     = "0.1.0"
  constraints = "0.1.0"
}

provider "registry.terraform.io/hashicorp/google" {
  version     = "6.50.0"
  constraints = "6.50.0"
}
"""


def contents(folder):
    """Bytes of every file by relative path; links by their target, the mirror behind them left out."""
    return {
        path.relative_to(folder).as_posix(): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture
def stack(tmp_path):
    """A synthesized stack's folder with a local backend, as deep below the repository as cdktf's."""
    folder = tmp_path / "stacks" / "registry"
    folder.mkdir(parents=True)
    (folder / "cdk.tf.json").write_text(json.dumps({"terraform": {"backend": {"local": {"path": "here.tfstate"}}}}))
    return folder


def test_two_syntheses_are_byte_identical(synthesize):
    first, second = (contents(synthesize(load("local")).folder) for _ in range(2))

    assert first == second


def test_a_second_synthesis_into_the_same_folder_changes_no_byte(local):
    from cdk.app import synthesize

    before = contents(local.folder)
    synthesize(load("local"), outdir=local.folder)

    assert contents(local.folder) == before


@pytest.mark.parametrize("environment", ["local", "prod"])
def test_every_stack_has_a_lock_and_the_mirror_its_deployment_names(request, environment):
    system, config = request.getfixturevalue(environment), load(environment)
    for stack in STACKS:
        folder = system.folder / "stacks" / stack
        link = folder / "terraform.d" / "plugins"

        assert (folder / ".terraform.lock.hcl").read_text() == LOCK
        assert link.resolve() == (ROOT / ".flanstack" / "plugins" / config.terraform.plugin_mirror).resolve()
        assert not link.readlink().is_absolute()


def test_local_state_is_a_file_below_the_checkout_and_prods_is_in_a_bucket(local, prod):
    for stack in STACKS:
        backend = local.stacks[stack]["terraform"]["backend"]["local"]
        state = os.path.normpath(local.folder.resolve() / "stacks" / stack / backend["path"])
        assert state == str(ROOT / ".flanstack" / "state" / "local" / f"{stack}.tfstate")
        assert prod.stacks[stack]["terraform"]["backend"] == {
            "gcs": {"bucket": "your-project-id-flan-tfstate", "prefix": f"prod/{stack}"}
        }


def test_only_a_local_cloud_gets_addresses_and_a_token(local, prod):
    google, vertex = local.stacks["ui"]["provider"]["google"][0], local.stacks["ui"]["provider"]["vertex"][0]
    assert google["vertex_ai_custom_endpoint"] == "http://127.0.0.1:8700/v1/"
    assert google["cloud_run_v2_custom_endpoint"] == "http://127.0.0.1:8700/v2/"
    assert google["storage_custom_endpoint"] == "http://127.0.0.1:8700/storage/v1/"
    assert vertex["api_endpoint"] == "http://127.0.0.1:8700"

    for provider in ("google", "vertex"):
        assert not [
            name
            for name in prod.stacks["ui"]["provider"][provider][0]
            if "endpoint" in name or name in ("access_token", "credentials")
        ]


def test_labels_reach_the_provider_as_they_are_written(prod):
    labels = prod.stacks["registry"]["provider"]["google"][0]["default_labels"]

    assert labels == {"team": "ml-platform", "flanstack_env": "prod", "managed_by": "flanstack"}


def test_hints_are_shown_by_cdktf_and_stop_nothing(prod):
    stacks = json.loads((prod.folder / "manifest.json").read_text())["stacks"]
    said = [one["message"] for stack in stacks.values() for one in stack["annotations"]]

    assert any('google.project is still "your-project-id"' in text for text in said)
    assert any("make pin-weights ENV=prod" in text for text in said)


def test_terraforms_hashes_stay_until_the_providers_are_installed_again(stack, monkeypatch, tmp_path):
    mirror = tmp_path / ".flanstack" / "plugins" / "local"
    mirror.mkdir(parents=True)
    (mirror / "provider").write_text("")
    monkeypatch.setattr("cdk.workspace.ROOT", tmp_path)
    lock = stack / ".terraform.lock.hcl"
    furnish(stack, config=load("local"), source=None)
    hashed = lock.read_text().replace('"6.50.0"\n}', '"6.50.0"\n  hashes = ["h1:x="]\n}')
    for path in (mirror, mirror / "provider"):
        os.utime(path, (1, 1))

    lock.write_text(hashed)
    furnish(stack, config=load("local"), source=None)
    assert lock.read_text() == hashed

    os.utime(mirror / "provider")
    os.utime(lock, (2, 2))
    furnish(stack, config=load("local"), source=None)
    assert lock.read_text() == LOCK


def test_what_terraform_kept_of_another_environment_is_cleared(stack):
    furnish(stack, config=load("prod"), source=None)
    kept = stack / ".terraform" / "terraform.tfstate"
    kept.parent.mkdir()

    kept.write_text(
        json.dumps({"backend": {"type": "local", "config": {"path": "here.tfstate", "workspace_dir": None}}})
    )
    furnish(stack, config=load("prod"), source=None)
    assert kept.exists()

    kept.write_text(json.dumps({"backend": {"type": "gcs", "config": {"bucket": "b", "prefix": "prod/registry"}}}))
    furnish(stack, config=load("prod"), source=None)
    assert not kept.parent.exists()


def test_a_folder_in_the_links_place_is_replaced(stack):
    (stack / "terraform.d" / "plugins" / "old").mkdir(parents=True)

    furnish(stack, config=load("local"), source=None)

    assert (stack / "terraform.d" / "plugins").is_symlink()


def test_archives_of_earlier_contents_do_not_pile_up(stack, configured):
    for number in range(5):
        config = configured("local", model__weights__files={"config.json": "sha256:" + str(number) * 64})
        furnish(stack, config=config, source=Images(config).serving)

    assert len(list((stack / "sources").iterdir())) == 3


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("terraform") is None or not MIRROR.is_dir(), reason="needs terraform and `make install`"
)
@pytest.mark.parametrize("environment", ["local", "prod"])
@pytest.mark.parametrize("stack", STACKS)
def test_real_terraform_accepts_every_stack_under_the_providers_schemas(request, tmp_path, environment, stack):
    """prod's stacks too: the stand-in's schemas are those of the pinned hashicorp/google."""
    folder = tmp_path / stack
    shutil.copytree(request.getfixturevalue(environment).folder / "stacks" / stack, folder, symlinks=True)
    shutil.rmtree(folder / "terraform.d")
    (folder / "terraform.d").mkdir()
    (folder / "terraform.d" / "plugins").symlink_to(MIRROR)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environ |= {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    for command in (["init", "-backend=false", "-input=false", "-no-color"], ["validate", "-no-color"]):
        out = subprocess.run(["terraform", *command], cwd=folder, env=environ, capture_output=True, text=True)
        assert out.returncode == 0, out.stdout + out.stderr
