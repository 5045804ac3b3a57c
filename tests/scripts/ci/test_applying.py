"""Exactly the reviewed plan is applied, by real Terraform, or nothing is."""

import json
import shutil

import pytest

from scripts.ci import applying
from scripts.ci.applying import ApplyFailed, ApplyRefused, apply, saved_plans
from scripts.ci.jobs import terraform_version
from scripts.ci.seal import SealBroken, opened
from scripts.ci.tip import check_tip, newest_at

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform")


def open_again(small, made, **changed):
    asked = {"digest": made.digest, "environment": "small", "checkout": small.checkout}
    return opened(small.folder, **{**asked, "terraform": terraform_version(), **changed})


def test_a_sealed_plan_is_applied_and_what_waited_is_the_next_round_s(small):
    made = small.plan()
    assert open_again(small, made) == made

    first = apply(small.folder, small.synthesized)
    assert (first.applied, first.waiting, first.more) == (("first",), ("second",), True)

    small.plan()
    second = apply(small.folder, small.synthesized)
    assert (second.applied, second.unchanged, second.waiting) == (("second",), ("first",), ())
    assert (small.held("first"), small.held("second")) == ("1", "21")

    small.plan()
    third = apply(small.folder, small.synthesized)
    assert (third.applied, third.more) == ((), False)


def test_what_is_applied_is_what_was_planned_not_what_the_stacks_have_become(small):
    small.plan()
    small.values["first"] = "changed after the review"
    small.synthesize()

    apply(small.folder, small.synthesized)

    assert small.held("first") == "1"


def test_a_plan_whose_state_has_moved_on_is_refused_by_terraform(small, capfd):
    small.plan()
    kept = small.folder.with_name("kept")
    shutil.copytree(small.folder, kept)
    small.values["first"] = "3"
    small.plan()
    apply(small.folder, small.synthesized)

    with pytest.raises(ApplyFailed, match=r"stack first failed.*Applied before it: nothing"):
        apply(kept, small.synthesized)

    assert applying.STALE in capfd.readouterr().err
    assert small.held("first") == "3"


@pytest.mark.parametrize("name", ["first.tfplan", "first.json", "plans.json"])
def test_a_changed_file_breaks_the_seal(small, name):
    made = small.plan()
    with (small.folder / name).open("ab") as file:
        file.write(b" ")

    with pytest.raises(SealBroken, match=f"Not as they were sealed: {name}"):
        open_again(small, made)


def test_a_file_more_or_less_breaks_the_seal(small):
    made = small.plan()
    (small.folder / "third.tfplan").write_bytes(b"")
    (small.folder / "second.txt").unlink()

    with pytest.raises(SealBroken, match=r"second\.txt, third\.tfplan"):
        open_again(small, made)


def test_another_seal_than_the_approved_one_is_refused(small):
    approved = small.plan()
    small.values["first"] = "other"
    small.plan()

    with pytest.raises(SealBroken, match=f"approved was {approved.digest}"):
        open_again(small, approved)


def test_a_plan_of_another_commit_environment_or_terraform_is_refused(small):
    made = small.plan()

    with pytest.raises(SealBroken, match="The plan is of small, asked for is prod"):
        open_again(small, made, environment="prod")
    with pytest.raises(SealBroken, match=r"here is 9\.9\.9"):
        open_again(small, made, terraform="9.9.9")
    small.commit()
    with pytest.raises(SealBroken, match=f"The plan is of commit {made.commit}, checked out is"):
        open_again(small, made)


def test_a_checkout_with_changes_gets_no_seal(small):
    small.plan()
    (small.checkout / "file").write_text("2")

    with pytest.raises(SealBroken, match="differs from its commit"):
        small.seal()


def test_a_folder_without_a_seal_is_refused(small):
    made = small.plan()
    (small.folder / "seal.json").write_text("{}")

    with pytest.raises(SealBroken, match="is no seal"):
        open_again(small, made)


def test_a_branch_that_has_moved_on_meanwhile_is_refused(small, git, tmp_path):
    git(small.checkout, "clone", "--quiet", "--bare", str(small.checkout), str(tmp_path / "origin"))
    git(small.checkout, "remote", "add", "origin", str(tmp_path / "origin"))
    commit = git(small.checkout, "rev-parse", "HEAD")
    check_tip(commit=commit, ref="refs/heads/main", newest=newest_at(small.checkout, "refs/heads/main"))

    small.commit()
    git(small.checkout, "push", "--quiet", "origin", "main")

    with pytest.raises(SealBroken, match="refs/heads/main is at"):
        check_tip(commit=commit, ref="refs/heads/main", newest=newest_at(small.checkout, "refs/heads/main"))
    with pytest.raises(SealBroken, match="does not tell where refs/heads/gone is"):
        newest_at(small.checkout, "refs/heads/gone")


def folder_of(tmp_path, **stacks):
    """A folder of plans as their index tells them. stacks: actions of one resource, or a stack that it waits for."""
    index = []
    for name, told in stacks.items():
        waits = [told] if isinstance(told, str) else []
        index.append({"name": name, "waits_for": waits})
        if not waits:
            changes = [{"change": {"actions": told}}]
            (tmp_path / f"{name}.json").write_text(json.dumps({"resource_changes": changes}))
            (tmp_path / f"{name}.tfplan").write_bytes(b"")
    (tmp_path / "plans.json").write_text(json.dumps({"environment": "x", "stacks": index}))
    return tmp_path


@pytest.mark.parametrize("told", [["update"], "network"])
def test_what_grants_roles_is_for_people_and_nothing_else_is_applied_then(tmp_path, told):
    ran = []
    folder = folder_of(tmp_path, registry=told, model=["create"])

    with pytest.raises(ApplyRefused, match="registry would change, which grant roles"):
        apply(folder, tmp_path, run=lambda where, command: ran.append(command) or 0)

    assert ran == []


def test_stacks_are_applied_in_the_order_of_their_references_and_stop_at_the_first_failure(tmp_path):
    ran = []
    folder = folder_of(tmp_path, registry=["no-op"], model=["update"], endpoint=["update"], ui=["update"])

    def run(where, command):
        ran.append((where.name, command[-1].rpartition("/")[2]))
        return int(ran[-1] == ("endpoint", "endpoint.tfplan"))

    with pytest.raises(ApplyFailed, match=r"stack endpoint failed.*Applied before it: model"):
        apply(folder, tmp_path, run=run)

    assert [one for one in ran if one[1].endswith("tfplan")] == [
        ("model", "model.tfplan"),
        ("endpoint", "endpoint.tfplan"),
    ]


def test_a_plan_that_only_reads_changes_nothing(tmp_path):
    plans = saved_plans(folder_of(tmp_path, model=["read"], endpoint=["no-op"], ui=["delete", "create"]))

    assert [one.changes for one in plans] == [False, False, True]
