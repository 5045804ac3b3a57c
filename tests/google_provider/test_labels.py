"""Labels: what the configuration says, what Terraform wrote, and what is on the resource."""

import pytest

from localcloud.google_provider.labels import observe, plan_annotations, plan_labels
from localcloud.google_provider.settings import Settings
from tfplugin.values import UNKNOWN

SETTINGS = Settings(default_labels={"system": "flan"})


def test_a_new_resource_gets_the_providers_labels_and_its_attribution():
    planned = {"labels": {"part": "ui"}}

    plan_labels(SETTINGS, None, planned)

    expected = {"goog-terraform-provisioned": "true", "system": "flan", "part": "ui"}
    assert planned["terraform_labels"] == planned["effective_labels"] == expected


def test_an_older_resource_gets_no_attribution_unless_asked_for():
    prior = {"labels": None, "terraform_labels": {}, "effective_labels": {}}
    quiet, proactive = {"labels": None}, {"labels": None}

    plan_labels(SETTINGS, prior, quiet)
    plan_labels(Settings(attribution_proactive=True), prior, proactive)

    assert quiet["effective_labels"] == {"system": "flan"}
    assert proactive["effective_labels"] == {"goog-terraform-provisioned": "true"}


def test_a_label_taken_out_of_the_configuration_goes_and_a_strangers_stays():
    prior = {"terraform_labels": {"old": "1"}, "effective_labels": {"old": "1", "theirs": "2"}}
    planned = {"labels": {"new": "3"}}

    plan_labels(Settings(), prior, planned)

    assert planned["effective_labels"] == {"theirs": "2", "new": "3"}


def test_labels_that_are_not_known_yet_leave_the_others_unknown():
    planned = {"labels": {"endpoint": UNKNOWN}}

    plan_labels(SETTINGS, None, planned)

    assert planned["terraform_labels"] is UNKNOWN
    assert planned["effective_labels"] is UNKNOWN


@pytest.mark.parametrize(("labels", "shown"), [({"a": "1"}, {"a": "9"}), ({"gone": "1"}, {}), (None, None)])
def test_only_terraforms_own_labels_are_shown_as_its(labels, shown):
    state = {"labels": None, "terraform_labels": None}

    observe(state, {"labels": labels, "terraform_labels": labels}, "labels", {"a": "9", "theirs": "2"})

    assert state["labels"] == shown
    assert state["effective_labels"] == {"a": "9", "theirs": "2"}


def test_annotations_of_strangers_stay_too():
    prior = {"annotations": {"mine": "1"}, "effective_annotations": {"mine": "1", "theirs": "2"}}
    planned = {"annotations": None}

    plan_annotations(prior, planned)

    assert planned["effective_annotations"] == {"theirs": "2"}
