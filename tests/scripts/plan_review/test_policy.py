"""What needs a person: severities, the deployment's policy, labels and flags."""

import pytest

from scripts.plan_review.policy import PolicyError

KIND = "vertex_endpoint_deployed_model"


def gone(plans):
    return plans.stack(plans.resource(KIND, plans.deployed(), None))


def one(made):
    (finding,) = made.findings
    return finding


def test_what_is_high_needs_approval_and_what_is_medium_or_low_does_not(plans):
    grown = plans.stack(plans.resource(KIND, plans.deployed(), plans.deployed(high=2)))

    assert plans.reviewed(gone(plans)).status == "needs approval"
    assert plans.reviewed(grown).status == "fine"


def test_a_deployment_may_ask_from_medium_on(plans):
    config = plans.configured(review={"needs_approval": "medium"})
    grown = plans.stack(plans.resource(KIND, plans.deployed(), plans.deployed(high=2)))

    assert plans.reviewed(grown, config=config).needs_approval


@pytest.mark.parametrize("given", [{"labels": ["allow-serving-destroyed"]}, {"allowed": ["serving-destroyed"]}])
def test_a_label_or_a_flag_allows_what_it_names_and_it_stays_visible(plans, given):
    made = plans.reviewed(gone(plans), **given)

    assert made.status == "fine"
    assert one(made).is_allowed
    assert "needs approval" not in made.verdict


def test_another_label_allows_nothing(plans):
    assert plans.reviewed(gone(plans), labels=["allow-public-access", "serving-destroyed"]).needs_approval


def test_a_deployment_names_its_own_label(plans):
    config = plans.configured(review={"rules": {"serving-destroyed": {"allowed_by": "stop-the-bill"}}})

    assert plans.reviewed(gone(plans), config=config, labels=["allow-serving-destroyed"]).needs_approval
    assert not plans.reviewed(gone(plans), config=config, labels=["stop-the-bill"]).needs_approval


def test_a_deployment_may_set_a_severity_or_switch_a_rule_off(plans):
    low = plans.configured(review={"rules": {"serving-destroyed": {"severity": "low"}}})
    off = plans.configured(review={"rules": {"serving-destroyed": {"severity": "off"}}})

    assert one(plans.reviewed(gone(plans), config=low)).severity == "low"
    assert not plans.reviewed(gone(plans), config=low).needs_approval
    assert plans.reviewed(gone(plans), config=off).findings == ()


def test_a_rule_that_does_not_exist_is_refused_with_those_that_do(plans):
    config = plans.configured(review={"rules": {"serving-destroyd": {"severity": "low"}}})

    with pytest.raises(
        PolicyError, match=r"prod\.toml: review\.rules: got serving-destroyd; the rules are budget-exceeded, "
    ):
        plans.reviewed(gone(plans), config=config)
    with pytest.raises(PolicyError, match="--allow: got everything"):
        plans.reviewed(gone(plans), allowed=["everything"])
