"""An id tells whose a deployed model is, and what."""

import pytest

from provider.deployed_model.lineage import derived_id, lineage_of, new_lineage, siblings
from provider.deployed_model.resource import traffic

LINEAGE = new_lineage("endpoint", "model", "")


def test_a_derived_id_depends_on_its_parts_alone_and_is_ten_digits():
    parts = ["model@1", None, [{"machine": "a2"}]]
    ids = [derived_id(LINEAGE, [*parts, number]) for number in range(200)]

    assert derived_id(LINEAGE, parts) == derived_id(LINEAGE, list(parts))
    assert len(set(ids)) > 190
    assert all(len(one) == 10 and one.isdigit() and one[0] != "0" for one in ids)


def test_another_attempt_is_another_id_of_the_same_resource():
    first, second = derived_id(LINEAGE, ["a"]), derived_id(LINEAGE, ["a"], attempt=1)

    assert first != second
    assert siblings(first, [second]) == [second]


@pytest.mark.parametrize("other", [("other", "model", ""), ("endpoint", "other", ""), ("endpoint", "model", "canary")])
def test_resources_that_differ_in_endpoint_model_or_track_are_no_relatives(other):
    mine, theirs = derived_id(LINEAGE, ["a"]), derived_id(new_lineage(*other), ["a"])

    assert siblings(mine, [theirs]) == []


def test_successors_of_an_id_that_google_chose_know_each_other():
    foreign = "6123456789012345678"
    one, two = (derived_id(lineage_of(foreign), [version]) for version in "12")

    assert siblings(foreign, [one, two]) == [one, two]
    assert siblings(one, [foreign, two]) == [two]
    assert lineage_of(one) == lineage_of(foreign)


@pytest.mark.parametrize(
    ("split", "share", "percent", "after"),
    [
        ({"old": 100}, 100, 5, {"new": 5, "old": 95}),
        ({"old": 95, "new": 5}, 100, 50, {"new": 50, "old": 50}),
        ({"old": 50, "new": 50}, 100, 100, {"new": 100}),
        ({"old": 50, "new": 50}, 100, 0, {"old": 100}),
        ({"old": 20, "else": 80}, 20, 10, {"new": 2, "old": 18, "else": 80}),
        ({"old": 20, "else": 80}, 20, 1, {"new": 1, "old": 19, "else": 80}),
        ({"old": 20, "else": 60, "third": 20}, 20, 99, {"new": 19, "old": 1, "else": 60, "third": 20}),
        ({"old": 1, "else": 99}, 1, 50, {"new": 1, "else": 99}),
        ({"else": 100}, 40, 50, {"new": 20, "old": 20, "else": 60}),
        ({}, 100, 30, {"new": 30, "old": 70}),
    ],
)
def test_a_share_is_divided_between_the_new_and_the_old_and_nobody_else_notices(split, share, percent, after):
    divided = traffic.divided(split, new="new", old="old", share=share, percent=percent)

    assert divided == after
    assert sum(divided.values()) == 100
