"""An endpoint's traffic split: shares given, taken, divided and left, always 100 in all."""

import pytest

from provider.deployed_model import traffic


@pytest.mark.parametrize(
    ("split", "percent", "after"),
    [
        ({}, 100, {"new": 100}),
        ({"a": 100}, 100, {"new": 100}),
        ({"a": 100}, 30, {"new": 30, "a": 70}),
        ({"a": 75, "b": 25}, 20, {"new": 20, "a": 60, "b": 20}),
        ({"a": 34, "b": 33, "c": 33}, 1, {"new": 1, "a": 35, "b": 32, "c": 32}),
        ({"a": 100, "new": 0}, 0, {"a": 100}),
        ({"new": 100}, 40, {"new": 100}),
        ({}, 0, {}),
    ],
)
def test_a_share_of_the_traffic_is_taken_from_the_others_in_proportion(split, percent, after):
    assert traffic.with_share(split, "new", percent) == after
    assert sum(after.values()) in (0, 100)


@pytest.mark.parametrize(
    ("split", "deployed", "after"),
    [
        ({"a": 100}, ["a", "b"], {"b": 100}),
        ({"a": 50, "b": 30, "c": 20}, ["a", "b", "c"], {"b": 60, "c": 40}),
        ({"b": 100}, ["a", "b"], None),
        ({"a": 100}, ["a"], None),
    ],
)
def test_what_is_undeployed_leaves_its_traffic_to_the_others(split, deployed, after):
    assert traffic.without(split, "a", deployed) == after


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
