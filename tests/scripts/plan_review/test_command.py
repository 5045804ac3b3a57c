"""`python -m scripts.plan_review` on a folder of saved plans: its exit status, its files, its errors."""

import json
import os
import subprocess
import sys

import pytest

from cdk.config import ROOT
from scripts.plan_review.saved import SavedStack, write_index

KIND = "vertex_endpoint_deployed_model"


@pytest.fixture
def folder(tmp_path, plans):
    """A saved plan of `local` that takes the deployed model down."""
    document = plans.document(plans.resource(KIND, plans.deployed(), None))
    (tmp_path / "endpoint.json").write_text(json.dumps(document))
    (tmp_path / "endpoint.txt").write_text("Terraform will perform the following actions:\n")
    write_index(tmp_path, "local", [SavedStack("endpoint", hints=("some file has no sum",))])
    return tmp_path


def run(folder, *arguments, module="scripts.plan_review"):
    command = [sys.executable, "-m", module, *([str(folder)] if folder else []), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})


def test_it_says_by_its_status_whether_a_person_is_needed_and_leaves_both_files(folder):
    asked = run(folder)
    allowed = run(folder, "--labels", "bug, allow-serving-destroyed")

    assert (asked.returncode, allowed.returncode) == (2, 0)
    assert "needs approval: takes down what serves" in asked.stdout
    assert "\x1b[" not in asked.stdout
    assert json.loads((folder / "review.json").read_text())["status"] == "fine"
    for part in ("### What it costs", "- `endpoint`: some file has no sum"):
        assert part in (folder / "review.md").read_text()
    assert "endpoint: some file has no sum" in asked.stdout


def test_a_flag_allows_a_rule_and_the_format_is_chosen(folder):
    allowed = run(folder, "--allow", "serving-destroyed", "--format", "json")
    markdown = run(folder, "--format", "markdown")

    assert allowed.returncode == 0
    assert json.loads(allowed.stdout)["environment"] == "local"
    assert markdown.stdout == (folder / "review.md").read_text()


def test_a_folder_without_plans_is_an_error_with_its_cure(tmp_path):
    out = run(tmp_path)

    assert out.returncode == 1
    assert "has no plans to review" in out.stderr
    assert "make plan" in out.stderr


@pytest.mark.parametrize("broken", ["plans.json", "endpoint.json"])
def test_a_folder_that_cannot_be_read_is_an_error_and_no_trace(folder, broken):
    (folder / broken).write_text("{")

    out = run(folder)

    assert out.returncode == 1
    assert "Traceback" not in out.stderr


def test_a_rule_that_does_not_exist_is_an_error(folder):
    out = run(folder, "--allow", "everything")

    assert out.returncode == 1
    assert "--allow: got everything; the rules are" in out.stderr


@pytest.mark.parametrize("module", ["scripts.plan", "scripts.plan_review"])
def test_help_tells_the_exit_status(module):
    out = run(None, "--help", module=module)

    assert out.returncode == 0
    assert "0 nothing needs approval, 2 something does, 1 an error" in " ".join(out.stdout.split())


def test_a_stack_that_waits_is_told_from_what_was_synthesized(tmp_path, plans):
    """Values that an earlier stack's plan knows are filled in; the others are known after the apply."""
    output = {"actions": ["create"], "before": None, "after": "flan-images", "after_unknown": False}
    unknown = {"actions": ["create"], "before": None, "after_unknown": True}
    (tmp_path / "registry.json").write_text(
        json.dumps(plans.document(outputs={"repository": output, "trigger": unknown}))
    )
    remote = "${data.terraform_remote_state.cross-stack-reference-input-registry.outputs"
    attributes = {
        "image": f"europe-west4-docker.pkg.dev/p/{remote}.repository}}/flan-t5-serving",
        "trigger": f"{remote}.trigger}}",
        "content_hash": "abc",
        "lifecycle": {"create_before_destroy": True},
    }
    (tmp_path / "model.tf.json").write_text(json.dumps({"resource": {"vertex_image_build": {"image": attributes}}}))
    write_index(tmp_path, "local", [SavedStack("registry"), SavedStack("model", waits_for=("registry",))])

    out = json.loads(run(tmp_path, "--format", "json").stdout)

    assert out["counts"]["add"] == 1
    assert out["stacks"][1] == {"stack": "model", "summary": "1 to add", "waits_for": ["registry"], "hints": []}
    assert out["cost"]["resources"][0]["what"] == "image flan-t5-serving, about 4 GB"
