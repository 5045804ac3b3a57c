"""What cannot be made again, and what keeps it from being destroyed."""

import pytest

from scripts.plan_review.rules import data

BUCKET = {"name": "p-flan-models", "location": "europe-west4", "force_destroy": False}


@pytest.mark.parametrize("kind", sorted(data.STATEFUL))
def test_what_holds_something_is_found_when_it_is_destroyed_or_replaced(plans, kind):
    gone = plans.stack(plans.resource(kind, BUCKET, None))
    moved = plans.stack(plans.resource(kind, BUCKET, BUCKET | {"location": "us-central1"}, action="replace"))

    assert [hit.verdict for hit in plans.found(data.DESTROYED, gone)] == ["destroys what is stored"]
    assert [hit.verdict for hit in plans.found(data.DESTROYED, moved)] == ["replaces what is stored"]


def test_what_is_added_or_changed_in_place_or_holds_nothing_is_not(plans):
    added = plans.stack(plans.resource("google_storage_bucket", None, BUCKET))
    changed = plans.stack(plans.resource("google_storage_bucket", BUCKET, BUCKET | {"labels": {"a": "b"}}))
    account = plans.stack(plans.resource("google_service_account", {"account_id": "flan-ui"}, None))

    for stack in (added, changed, account):
        assert plans.found(data.DESTROYED, stack) == []


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        ("deletion_protection", True, False),
        ("force_destroy", False, True),
        ("keep_on_destroy", True, False),
        ("public_access_prevention", "enforced", "inherited"),
    ],
)
def test_a_protection_that_is_lifted_is_found_and_one_that_is_set_is_not(plans, key, before, after):
    def stack(old, new):
        return plans.stack(plans.resource("google_cloud_run_v2_service", {key: old}, {key: new}))

    (hit,) = plans.found(data.LIFTED, stack(before, after))

    assert hit.what.startswith(f"{key} goes from")
    assert plans.found(data.LIFTED, stack(after, before)) == []
