"""The prebuilt bindings are loaded a module at a time, in Node as in Python."""

import json
import os
import subprocess

import pytest

from cdk import bindings
from cdk.config import ROOT

NODE = ROOT / "node_modules" / ".bin" / "node"

INDEX = """\
"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.bucket = exports.endpoint = void 0;
exports.endpoint = require("./endpoint");
exports.bucket = require("./bucket");
"""


@pytest.mark.skipif(not NODE.exists(), reason="`make install` brings the Node that jsii runs on")
def test_node_loads_a_module_when_it_is_first_asked_for(tmp_path):
    lib = tmp_path / "with a space" / "provider-google" / "lib"
    lib.mkdir(parents=True)
    (lib / "index.js").write_text(INDEX)
    for name in ("endpoint", "bucket"):
        (lib / f"{name}.js").write_text(f'globalThis.loaded.push("{name}"); exports.name = "{name}";\n')
    script = f"""
    globalThis.loaded = [];
    const index = require({json.dumps(str(lib / "index.js"))});
    const names = Object.keys(index), before = [...globalThis.loaded];
    console.log(JSON.stringify([names, before, index.bucket.name, globalThis.loaded]));
    """

    out = subprocess.run([NODE, "--require", bindings.LAZY, "-e", script], capture_output=True, text=True, check=True)

    assert json.loads(out.stdout) == [["endpoint", "bucket"], [], "bucket", ["bucket"]]


def test_node_is_told_once_and_keeps_the_options_that_it_had(monkeypatch):
    monkeypatch.setenv("NODE_OPTIONS", "--max-old-space-size=4096")

    bindings.prepare()
    bindings.prepare()

    assert os.environ["NODE_OPTIONS"] == f'--max-old-space-size=4096 --require "{bindings.LAZY}"'
