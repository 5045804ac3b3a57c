"""`python -m cdk` as cdktf runs it."""

import json
import os
import subprocess
import sys

from cdk.config import ROOT


def run(*arguments, **environment):
    environ = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "cdk", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100
    )


def test_it_synthesizes_local_by_default_and_says_nothing(tmp_path):
    out = run(CDKTF_OUTDIR=str(tmp_path / "out"), FLAN_ENV="")

    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    dependencies = {name: set(stack["dependencies"]) for name, stack in manifest["stacks"].items()}
    assert dependencies == {
        "registry": set(),
        "model": {"registry"},
        "endpoint": {"registry", "model"},
        "ui": {"registry", "endpoint"},
    }


def test_a_wrong_environment_ends_in_a_sentence_and_no_trace():
    out = run(FLAN_ENV="staging")

    assert out.returncode == 1
    assert "FLAN_ENV is 'staging'" in out.stderr
    assert "Traceback" not in out.stderr


def test_the_price_is_printed_line_by_line_with_sources():
    out = run("--prices", FLAN_ENV="prod")

    assert out.returncode == 0
    assert "prod: USD 4.31" in out.stdout
    assert "NVIDIA_TESLA_A100 included" in out.stdout
    assert "171.8/day" in out.stdout


def test_synthesis_loads_the_needed_modules_of_the_bindings_alone():
    program = (
        "import sys; import cdk.app; "
        "print(sum(name.startswith('cdktf_cdktf_provider_google.') for name in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert 10 < int(out.stdout) < 100  # of 1,470
