"""Everything that takes labels bears the deployment's: a sweep for leftovers finds nothing else."""

import pytest

from cdk.config import load


@pytest.fixture(params=("local", "prod"))
def labelled(request):
    return request.getfixturevalue(request.param), load(request.param)


def test_what_google_s_provider_makes_is_labelled_in_every_stack(labelled):
    system, config = labelled

    for stack in system.stacks.values():
        assert stack["provider"]["google"][0]["default_labels"] == config.all_labels


def test_what_our_provider_makes_is_labelled_too(labelled):
    system, config = labelled
    made = [*system.every("vertex_model"), *system.every("vertex_custom_job")]

    assert made
    assert all(config.all_labels.items() <= one["labels"].items() for one in made)


def test_builds_take_tags_instead(labelled):
    system, config = labelled
    triggers = system.every("google_cloudbuild_trigger")

    assert triggers
    assert all(one["build"]["tags"] == config.build_tags for one in triggers)
