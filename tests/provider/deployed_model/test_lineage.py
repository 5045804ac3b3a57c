"""An id tells whose a deployed model is, and what."""

import pytest

from provider.deployed_model.lineage import derived_id, lineage_of, new_lineage, siblings

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
