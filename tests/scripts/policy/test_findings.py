"""checkov's findings against those that we live with. The outputs have the shape that checkov 3.3.30 gives."""

import json

import pytest

from scripts.policy.__main__ import SUPPRESSIONS, told
from scripts.policy.findings import PolicyCheckFailed, judge, suppressions

NOTHING = json.dumps({"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "checkov_version": "3.3.30"})
REASONS = {("CKV_GCP_84", "images"): "weights are public"}
PRESENT = {"images", "others", "x"}


def output(*failed, passed=55):
    checks = [{"check_id": check, "resource": resource, "check_name": "Ensure …"} for check, resource in failed]
    results = {"check_type": "terraform_json", "results": {"failed_checks": checks}, "summary": {"passed": passed}}
    return json.dumps(results)


def test_a_finding_without_a_reason_fails_and_one_with_a_reason_does_not():
    outcome = judge(
        output(("CKV_GCP_84", "resource.images"), ("CKV_GCP_28", "resource.images")), REASONS, present=PRESENT
    )

    assert [finding.check for finding in outcome.open] == ["CKV_GCP_28"]
    assert [finding.check for finding, _ in outcome.suppressed] == ["CKV_GCP_84"]
    assert not outcome.is_fine
    assert judge(output(("CKV_GCP_84", "resource.images")), REASONS, present=PRESENT).is_fine


def test_a_reason_for_one_resource_is_none_for_another():
    assert not judge(
        output(("CKV_GCP_84", "resource.images"), ("CKV_GCP_84", "resource.others")), REASONS, present=PRESENT
    ).is_fine


def test_a_suppression_that_finds_nothing_any_more_fails():
    outcome = judge(output(), REASONS, present=PRESENT)

    assert outcome.stale == (("CKV_GCP_84", "images"),)
    assert not outcome.is_fine
    assert "stale" in told(outcome)


def test_a_suppression_for_a_stack_that_is_off_is_no_lie():
    assert judge(output(), REASONS, present={"others"}).is_fine


def test_both_the_summary_of_nothing_and_nonsense_fail():
    with pytest.raises(PolicyCheckFailed, match="checked nothing"):
        judge(NOTHING, {}, present=PRESENT)
    with pytest.raises(PolicyCheckFailed, match="nothing that can be read"):
        judge("There are no runners to run", {}, present=PRESENT)


def test_several_files_in_one_output_are_read_together():
    both = json.dumps(
        [json.loads(output(passed=3)), json.loads(output(("CKV_GCP_1", "x"), passed=4)), json.loads(NOTHING)]
    )

    outcome = judge(both, {}, present=PRESENT)

    assert outcome.passed == 7
    assert len(outcome.open) == 1


def test_every_suppression_has_its_reason(tmp_path):
    assert all(len(reason) > 40 for reason in suppressions(SUPPRESSIONS).values())
    (tmp_path / "s.toml").write_text('[[suppressed]]\ncheck = "CKV_1"\nresources = ["a"]\n')
    with pytest.raises(PolicyCheckFailed, match="CKV_1: got no reason"):
        suppressions(tmp_path / "s.toml")
