"""Attributes before and after, as text that may be shown."""

from scripts.plan_review.plan.plans import Action, Change
from scripts.plan_review.plan.values import HIDDEN, UNKNOWN, block, differences
from scripts.plan_review.rendering import document, markdown, terminal


def change(before, after, *, unknown=None, hidden=None, configured=()):
    return Change(
        stack="ui",
        address="a.b",
        type="a",
        action=Action.CHANGE,
        before=before,
        after=after,
        unknown=unknown or {},
        hidden_before=hidden or {},
        hidden_after=hidden or {},
        configured=frozenset(configured),
    )


def told(one):
    return [(row.path, row.old, row.new) for row in differences(one)]


def test_nested_values_are_told_by_their_path():
    old = {"template": [{"scaling": [{"max": 1}], "timeout": "300s"}]}
    new = {"template": [{"scaling": [{"max": 2}], "timeout": "300s"}]}

    assert told(change(old, new)) == [("template.scaling.max", "1", "2")]


def test_environment_variables_are_told_by_their_name():
    old = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    new = {"env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}

    assert told(change(old, new)) == [("env.A", "1", "–"), ("env.B", "2", "3"), ("env.C", "–", "4")]


def test_null_empty_and_missing_are_no_difference():
    assert told(change({"a": None, "b": [], "c": ""}, {"a": "", "b": None})) == []


def test_what_only_the_provider_knows_after_the_apply_is_left_out_and_what_the_stack_sets_is_not():
    one = change({"etag": "x", "image": "old"}, {}, unknown={"etag": True, "image": True}, configured={"image"})

    assert told(one) == [("image", "old", UNKNOWN)]


def test_an_attribute_that_the_stack_no_longer_sets_is_told():
    assert told(change({"description": "x"}, {"description": None}, configured={"name"})) == [("description", "x", "–")]


def test_a_value_without_end_is_cut_and_lines_become_one():
    ((_, _, new),) = told(change({"a": "x"}, {"a": "line\n" * 100}))

    assert len(new) == 120
    assert new.startswith("line line")
    assert new.endswith("…")


def test_sensitive_values_are_hidden_whether_whole_nested_or_unknown():
    old = {"password": "hunter2", "block": [{"key": "hunter2"}], "token": "hunter2"}
    new = {"password": "hunter3", "block": [{"key": "hunter3"}]}
    hidden = {"password": True, "block": [{"key": True}], "token": True}

    rows = told(change(old, new, hidden=hidden, unknown={"token": True}, configured={"token"}))

    assert rows == [("block.key", HIDDEN, HIDDEN), ("password", HIDDEN, HIDDEN), ("token", HIDDEN, HIDDEN)]


def test_a_sensitive_value_is_in_no_rendering(plans):
    secret = {"password": "hunter2", "name": "x", "member": "allUsers"}
    kind = "google_sql_user_iam_member"
    made = plans.reviewed(
        plans.stack(
            plans.resource(kind, secret | {"member": "a"}, secret | {"password": "hunter3"}, hidden={"password": True}),
            plans.resource("google_secret", None, {"secret_data": "hunter4"}, name="s", hidden={"secret_data": True}),
        )
    )

    for text in (markdown.render(made), terminal.render(made), document.render(made)):
        assert "hunter" not in text
        assert "public-access" in text


def test_a_block_is_found_whether_it_is_an_object_or_a_list_of_one():
    assert block({"a": [{"b": {"c": 1}}]}, "a", "b") == {"c": 1}
    assert block({"a": []}, "a", "b") == {}
    assert block(None, "a") == {}
