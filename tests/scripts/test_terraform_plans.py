"""Planning several stacks: their order, and which errors only mean that another stack comes first."""

import json

import pytest

from scripts import terraform_plans
from scripts.terraform_plans import PlanFailed, plan_stacks, stack_names

NO_STATE = """\
Planning failed. Terraform encountered an error while generating this plan.

Error: Unable to find remote state

  with data.terraform_remote_state.cross-stack-reference-input-registry,
"""
NO_OUTPUT = """\
Error: Unsupported attribute

  on cdk.tf.json line 5:
    |  data.terraform_remote_state.cross-stack-reference-input-model.outputs is object with 3 attributes
"""
REAL = "Error: googleapi: Error 403: Permission denied\n"


@pytest.fixture
def output(tmp_path):
    """A cdktf output folder of one stack."""
    stack = tmp_path / "out" / "stacks" / "registry"
    stack.mkdir(parents=True)
    (stack / "cdk.tf.json").write_text(json.dumps({"terraform": {"backend": {"local": {"path": "registry.tfstate"}}}}))
    warning = {"level": "@cdktf/warn", "message": "put your project into the file"}
    manifest = {"stacks": {"registry": {"name": "registry", "dependencies": [], "annotations": [warning]}}}
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "out"


@pytest.fixture
def terraform(tmp_path, monkeypatch):
    """Puts a program called terraform first on the PATH, with a body per verb."""

    def install(plan):
        program = tmp_path / "terraform"
        program.write_text(f"#!/bin/sh\ncase $1 in\n init) exit 0;;\n plan) {plan};;\nesac\n")
        program.chmod(0o755)
        monkeypatch.setattr(terraform_plans, "terraform_environment", lambda: {"PATH": f"{tmp_path}:/usr/bin:/bin"})

    return install


def test_stacks_come_after_those_that_they_refer_to(tmp_path):
    needs = {"ui": ["endpoint", "registry"], "endpoint": ["model"], "model": ["registry"], "registry": []}
    manifest = {"stacks": {name: {"dependencies": before} for name, before in needs.items()}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    assert stack_names(tmp_path) == ["registry", "model", "endpoint", "ui"]


@pytest.mark.parametrize(
    ("said", "waits"), [(NO_STATE, ["registry"]), (NO_OUTPUT, ["model"]), (NO_STATE + NO_OUTPUT, ["model", "registry"])]
)
def test_a_stack_whose_references_have_no_values_waits(output, terraform, tmp_path, said, waits):
    (tmp_path / "said").write_text(said)
    terraform(f"cat {tmp_path}/said; exit 1")

    plan_stacks(output, tmp_path / "plans", env="local")

    (stack,) = json.loads((tmp_path / "plans" / "plans.json").read_text())["stacks"]
    assert stack["waits_for"] == waits
    assert not (tmp_path / "plans" / "registry.tfplan").exists()


@pytest.mark.parametrize("said", [REAL, NO_STATE + REAL, "no error named at all"])
def test_any_other_error_ends_the_plan_with_terraform_s_words(output, terraform, tmp_path, said):
    (tmp_path / "said").write_text(said)
    terraform(f"cat {tmp_path}/said; exit 1")

    with pytest.raises(PlanFailed, match=r"(?s)terraform plan of stack registry:.*(403|no error named at all)"):
        plan_stacks(output, tmp_path / "plans", env="local")


def test_an_init_that_fails_is_told(output, terraform, tmp_path):
    terraform("exit 0")
    (tmp_path / "terraform").write_text("#!/bin/sh\necho 'Error: no such provider'; exit 1\n")

    with pytest.raises(PlanFailed, match=r"(?s)terraform init of stack registry:.*no such provider"):
        plan_stacks(output, tmp_path / "plans", env="local")


def test_a_stack_that_does_not_exist_cannot_be_planned_away(output, tmp_path):
    with pytest.raises(PlanFailed, match="--destroy: got endpoin; the stacks are registry"):
        plan_stacks(output, tmp_path / "plans", env="local", destroyed=["endpoin"])


def test_who_wrote_the_state_is_kept_with_the_plan(output, terraform, tmp_path):
    (output / "stacks" / "registry" / "registry.tfstate").write_text('{"terraform_version": "1.10.0"}')
    terraform("echo 'No changes. Your infrastructure matches the configuration.'")

    plan_stacks(output, tmp_path / "plans", env="local")

    (stack,) = json.loads((tmp_path / "plans" / "plans.json").read_text())["stacks"]
    assert stack["state_terraform_version"] == "1.10.0"
    assert stack["hints"] == ["put your project into the file"]
