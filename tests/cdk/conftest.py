"""Both environments synthesized once, into folders of their own."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from cdk import bindings  # noqa: F401  before anything imports the stacks
from cdk.config import DEPLOYMENTS, ROOT, DeploymentConfig, load
from cdk.images import Images

NODE = ROOT / "node_modules" / ".bin" / "node"
STACKS = ("registry", "model", "endpoint", "ui")


class Synthesized:
    """One environment's output: Terraform JSON by stack."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.stacks = {name: json.loads((folder / "stacks" / name / "cdk.tf.json").read_text()) for name in STACKS}

    def resources(self, stack, kind):
        """The resources of one type by their Terraform name."""
        return self.stacks[stack]["resource"].get(kind, {})

    def only(self, stack, kind):
        (resource,) = self.resources(stack, kind).values()
        return resource

    def every(self, kind):
        return [resource for stack in STACKS for resource in self.resources(stack, kind).values()]

    def text(self):
        return "\n".join(json.dumps(stack) for stack in self.stacks.values())


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory):
    """Synthesizes a deployment into a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        if NODE.exists():
            patch.setenv("JSII_NODE", str(NODE))
        from cdk.app import synthesize as run

        def start(config, images=None):
            folder = tmp_path_factory.mktemp(config.env)
            run(config, outdir=folder, images=images)
            return Synthesized(folder)

        yield start


@pytest.fixture(scope="session")
def local(synthesize):
    return synthesize(load("local"))


@pytest.fixture(scope="session")
def prod(synthesize, checkout):
    config = load("prod")
    return synthesize(config, Images(config, root=checkout))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A git checkout with a file in each image, for deployments that build commits."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("serving/app.py", "serving/Dockerfile", "ui/app.py", "README.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    git(root, "init", "--quiet")
    commit(root)
    return root


def git(root, *arguments):
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    out = subprocess.run(["git", *identity, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return out.stdout.strip()


def commit(root):
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "change")


def document(env="prod"):
    """A deployment file as plain values, to be changed by a test."""
    return tomllib.loads((DEPLOYMENTS / f"{env}.toml").read_text())


def configured(env="prod", **changes):
    """The deployment with values changed by dotted key, `__` for the dot."""
    values = document(env)
    for key, value in changes.items():
        *tables, last = key.split("__")
        table = values
        for name in tables:
            table = table.setdefault(name, {})
        table[last] = value
    return DeploymentConfig(env=env, **values)


@pytest.fixture(scope="session", name="configured")
def configured_fixture():
    return configured


@pytest.fixture(scope="session", name="git")
def git_fixture():
    return git


@pytest.fixture(scope="session", name="commit")
def commit_fixture():
    return commit
