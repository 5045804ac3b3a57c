"""The verdict over a version that wants to take over, without Terraform."""

from __future__ import annotations

import pytest

from provider.deployed_model.promotion import Version, decided, judge, number_of, problems
from tfplugin.resource import Context, PluginError
from tfplugin.values import UNKNOWN

NAME = "projects/flan/locations/europe-west4/models/dialogue"
OLD, NEW = f"{NAME}@1", f"{NAME}@2"
GOOD = {"eval_rouge1": "44_1000", "eval_rouge2": "21_0000"}
OKAY = {"eval_rouge1": "43_1234", "eval_rouge2": "20_5000"}


def block(**fields):
    metrics = {"metrics": ["eval_rouge1", "eval_rouge2"]}
    return {**metrics, "rule": None, "min_gain": None, "on_refusal": None, "override": [], **fields}


def verdict(before, after, **fields):
    return judge(block(**fields), old=OLD, new=NEW, look={OLD: Version(before), NEW: Version(after)}.__getitem__)


def decide(before, after, *, new=NEW, held=None, **fields):
    prior = {"model": OLD, "promotion_verdict": held}
    planned = {"model": new, "promotion": [block(**fields)], "promotion_verdict": held}
    context = Context()
    look = {OLD: Version(before), NEW: Version(after)}.__getitem__
    planned, config = decided(context, look, prior, planned, {"model": new})
    return planned, config, context.problems


def test_a_version_that_is_better_in_every_metric_is_promoted_and_both_are_shown():
    assert verdict(OKAY, GOOD) == (
        "promoted dialogue@2 over dialogue@1 by all_greater: "
        "eval_rouge1 43.1234 -> 44.1000, eval_rouge2 20.5000 -> 21.0000"
    )


@pytest.mark.parametrize("same", ["eval_rouge1", "eval_rouge2"])
def test_equal_in_one_metric_is_not_better(same):
    said = verdict(OKAY, {**GOOD, same: OKAY[same]})

    assert said.startswith("refused")
    assert said.endswith(f"not greater: {same}")


@pytest.mark.parametrize(
    ("rule", "after", "wanted"),
    [
        ("none_less", OKAY, "promoted"),
        ("none_less", {**GOOD, "eval_rouge2": "20_4999"}, "refused"),
        ("any_greater", {**GOOD, "eval_rouge2": "1_0000"}, "promoted"),
        ("any_greater", OKAY, "refused"),
    ],
)
def test_each_rule_asks_for_what_its_name_says(rule, after, wanted):
    assert verdict(OKAY, after, rule=rule).startswith(wanted)


def test_a_gain_below_the_wanted_one_is_none():
    assert verdict(OKAY, GOOD, min_gain=0.4).startswith("promoted")
    assert verdict(OKAY, GOOD, min_gain=0.6).endswith("not greater by more than 0.6: eval_rouge2")


@pytest.mark.parametrize("labels", [{}, {"eval_rouge1": "44_1", "eval_rouge2": "high"}])
def test_a_metric_that_is_not_known_promotes_nothing(labels):
    for said in (verdict(labels, GOOD), verdict(OKAY, labels)):
        assert said.startswith("refused")
        assert "not a label of both with a number" in said


def test_another_container_around_the_same_weights_has_nothing_to_beat():
    versions = {OLD: Version(OKAY, "gs://flan/run/model"), NEW: Version(OKAY, "gs://flan/run/model")}

    assert judge(block(), old=OLD, new=NEW, look=versions.__getitem__) == (
        "promoted dialogue@2 over dialogue@1: the weights are the same"
    )


def test_versions_for_different_tasks_are_not_compared():
    said = verdict({**OKAY, "task": "dialogue"}, {**GOOD, "task": "questions"})

    assert said.startswith("refused")
    assert "different tasks, dialogue and questions" in said


@pytest.mark.parametrize("named", [NEW, "dialogue@2"])
def test_a_persons_word_lets_one_version_through_and_is_recorded(named):
    override = [{"model": named, "by": "anna@example.com", "reason": "the test set was wrong"}]
    said = verdict(GOOD, OKAY, override=override)

    assert said.startswith("promoted dialogue@2 over dialogue@1 on the word of anna@example.com")
    assert "the test set was wrong" in said
    assert "otherwise refused, since not greater: eval_rouge1, eval_rouge2" in said


def test_a_persons_word_for_another_version_is_none_for_this_one():
    override = [{"model": "dialogue@7", "by": "anna@example.com", "reason": "a forgotten one"}]

    assert verdict(GOOD, OKAY, override=override).startswith("refused")


def test_a_refused_version_leaves_the_old_one_in_plan_and_configuration():
    planned, config, problems_ = decide(GOOD, OKAY)

    assert planned["model"] == config["model"] == OLD
    assert planned["promotion_verdict"].startswith("refused dialogue@2 over dialogue@1")
    assert problems_[0].is_warning
    assert "add `override` with model = 'dialogue@2'" in problems_[0].detail


def test_a_refusal_can_be_an_error():
    with pytest.raises(PluginError, match="may not take over"):
        decide(GOOD, OKAY, on_refusal="fail")


def test_a_version_that_is_not_known_yet_is_judged_when_it_is():
    planned, _, _ = decide(GOOD, OKAY, new=UNKNOWN)

    assert planned["model"] is UNKNOWN
    assert planned["promotion_verdict"] is UNKNOWN


def test_what_serves_already_is_not_judged_and_an_old_refusal_is_forgotten():
    assert decide(GOOD, OKAY, new=OLD, held="promoted it")[0]["promotion_verdict"] == "promoted it"
    assert decide(GOOD, OKAY, new=OLD, held="refused another")[0]["promotion_verdict"] is None


@pytest.mark.parametrize(
    ("text", "number"), [("43_1234", 43.1234), ("0_0", 0.0), ("-1_5", -1.5), ("7", 7.0), ("x", None), (None, None)]
)
def test_a_labels_underscore_is_a_numbers_dot(text, number):
    assert number_of(text) == number


def test_what_cannot_be_meant_is_refused_before_any_call():
    override = {"model": "dialogue", "by": " ", "reason": "because"}
    bad = block(metrics=[], rule="better", min_gain=-1, on_refusal="cry", override=[override])

    found = [one.summary for one in problems({"promotion": [bad]})]

    names = ("metrics", "rule", "on_refusal", "min_gain", "by", "model")
    assert found == [f"{name} is not allowed" for name in names]
