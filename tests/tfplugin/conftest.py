"""The toy provider, in a mirror and in folders to run real Terraform in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE, ROOT = Path(__file__).parent, Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE))

from toy_provider import RELEASE  # noqa: E402  the toy lies beside this file

from tfplugin.install import install  # noqa: E402


@pytest.fixture
def environment(tmp_path):
    """As a user has it, but with an empty home and a folder of temporary files of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    (tmp_path / "home").mkdir()
    # not under tmp_path: a socket's path has at most 107 bytes, and a worker's tmp_path is long
    with tempfile.TemporaryDirectory() as tmp:
        places = {"HOME": str(tmp_path / "home"), "TMPDIR": tmp, "PYTHONPATH": str(ROOT)}
        yield kept | places | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


@pytest.fixture
def launcher(tmp_path):
    return install(RELEASE, tmp_path / "stack" / "terraform.d" / "plugins", root=HERE)


class Stack:
    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment

    def write(self, *, scales=None, **box):
        """scales: a data source's configuration; what it weighs is the output `grams`."""
        document = {"terraform": {"required_providers": {"toy": {"source": RELEASE.source, "version": "0.0.1"}}}}
        document["resource"] = {"toy_box": {"this": box}}
        if scales is not None:
            document["data"] = {"toy_scales": {"this": scales}}
            document["output"] = {"grams": {"value": "${data.toy_scales.this.grams}"}}
        (self.folder / "main.tf.json").write_text(json.dumps(document))
        return self

    def start(self, *arguments):
        return subprocess.Popen(
            ["terraform", *arguments, "-no-color"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments, code=0):
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == code, output
        return output

    def instance(self):
        state = json.loads((self.folder / "terraform.tfstate").read_text())
        (box,) = [one for one in state["resources"] if one["type"] == "toy_box"]
        return box["instances"][0]

    def output(self, name):
        return json.loads((self.folder / "terraform.tfstate").read_text())["outputs"][name]["value"]


@pytest.fixture
def stack(launcher, environment, tmp_path):
    folder = Stack(tmp_path / "stack", environment).write(name="empty")
    folder.run("init", "-input=false")
    return folder
