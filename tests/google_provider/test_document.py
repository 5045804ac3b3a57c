"""States become the API's documents and come back."""

import pytest

from localcloud.google_provider.document import from_api, settle, to_api
from localcloud.google_provider.mapping import RestMapping, same_duration
from tfplugin.schema import Attribute, Block, Body
from tfplugin.values import UNKNOWN

MAPPING = RestMapping(
    type_name="google_thing",
    noun="Thing",
    endpoint="thing_custom_endpoint",
    collection="things",
    self_link="things/{name}",
    in_url=frozenset({"name"}),
    local=frozenset({"force_destroy"}),
    renames={"step": "steps"},
    arrays=frozenset({"ports"}),
    keyed={"policies": "id"},
    computed_blocks=frozenset({"scaling"}),
    same={"policies.older_than": same_duration},
)


def optional(name, type_="string", **more):
    return Attribute(name=name, type=type_, optional=True, **more)


BODY = Body(
    attributes=[
        Attribute(name="id", type="string", optional=True, computed=True),
        Attribute(name="name", type="string", required=True),
        optional("display_name"),
        optional("force_destroy", "bool"),
        optional("is_open", "bool"),
        optional("disk_size_gb", "number"),
        optional("mode", computed=True, default="STANDARD"),
        Attribute(name="create_time", type="string", computed=True),
        Attribute(name="parts", type=["list", ["object", {"min_count": "number"}]], computed=True),
    ],
    blocks=[
        Block(
            name="options", max_items=1, body=Body(attributes=[optional("machine_type"), optional("is_fast", "bool")])
        ),
        Block(name="ports", max_items=1, body=Body(attributes=[optional("container_port", "number")])),
        Block(name="scaling", max_items=1, body=Body(attributes=[optional("max_count", "number")])),
        Block(name="step", body=Body(attributes=[optional("name")])),
        Block(name="policies", nesting="set", body=Body(attributes=[optional("id"), optional("older_than")])),
        Block(name="timeouts", nesting="single", body=Body(attributes=[optional("create")])),
    ],
)


def state(**values):
    return BODY.empty() | {"name": "n", **values}


def shown(document, prior=None):
    return from_api(MAPPING, BODY, document, prior or state())


def test_names_become_camel_case_and_a_block_of_one_becomes_an_object():
    sent = to_api(MAPPING, BODY, state(display_name="d", options=[{"machine_type": "E2", "is_fast": None}]))

    assert sent == {"displayName": "d", "options": {"machineType": "E2"}}


def test_a_renamed_block_a_block_kept_as_array_and_a_keyed_set_have_the_apis_shape():
    sent = to_api(
        MAPPING,
        BODY,
        state(
            step=[{"name": "a"}, {"name": "b"}],
            ports=[{"container_port": 80}],
            policies=[{"id": "x", "older_than": "7d"}],
        ),
    )

    assert sent == {
        "steps": [{"name": "a"}, {"name": "b"}],
        "ports": [{"containerPort": 80}],
        "policies": {"x": {"id": "x", "olderThan": "7d"}},
    }


@pytest.mark.parametrize("name", ["id", "force_destroy", "create_time"])
def test_what_no_body_holds_is_not_sent(name):
    assert to_api(MAPPING, BODY, state(**{name: "x"})) == {}


def test_whole_numbers_are_sent_as_integers():
    assert repr(to_api(MAPPING, BODY, state(disk_size_gb=300.0))["diskSizeGb"]) == "300"


def test_int64_strings_come_back_as_numbers():
    assert shown({"diskSizeGb": "300"})["disk_size_gb"] == 300


@pytest.mark.parametrize(("written", "answered"), [(False, None), (None, False), (False, False)])
def test_absent_and_zero_are_one_and_stay_as_they_were_written(written, answered):
    document = {} if answered is None else {"isOpen": answered}

    assert shown(document, state(is_open=written))["is_open"] is written


def test_a_value_that_somebody_removed_is_seen():
    assert shown({}, state(display_name="d"))["display_name"] is None


def test_a_value_that_somebody_set_is_seen():
    assert shown({"displayName": "theirs"}, state(display_name=None))["display_name"] == "theirs"


def test_a_default_that_the_api_leaves_out_stays():
    assert shown({}, state(mode="STANDARD"))["mode"] == "STANDARD"
    assert shown({}, state(mode="VIRTUAL"))["mode"] is None


def test_what_is_in_the_url_or_in_no_api_comes_from_the_prior_state():
    seen = shown({}, state(force_destroy=True, timeouts={"create": "1h"}))

    assert (seen["name"], seen["force_destroy"], seen["timeouts"]) == ("n", True, {"create": "1h"})


def test_computed_lists_of_objects_are_filled_from_objects_and_arrays():
    assert shown({"parts": {"minCount": "1"}})["parts"] == [{"min_count": 1}]
    assert shown({"parts": [{"minCount": 1}, {}]})["parts"] == [{"min_count": 1}, {"min_count": None}]
    assert shown({})["parts"] == []


def test_a_block_that_the_api_fills_in_counts_only_once_configured():
    assert shown({"scaling": {"maxCount": 100}})["scaling"] == []
    assert shown({"scaling": {"maxCount": 100}}, state(scaling=[{"max_count": 2}]))["scaling"] == [{"max_count": 100}]


def test_a_block_that_somebody_removed_is_seen_but_one_of_zeros_is_not_missed():
    assert shown({}, state(options=[{"machine_type": "E2", "is_fast": None}]))["options"] == []
    assert shown({}, state(options=[{"machine_type": None, "is_fast": False}]))["options"] == [
        {"machine_type": None, "is_fast": False}
    ]


def test_a_sets_items_keep_the_users_way_of_writing_whatever_their_order():
    prior = state(policies=[{"id": "a", "older_than": "7d"}, {"id": "b", "older_than": "1d"}])
    document = {"policies": {"b": {"olderThan": "86400s"}, "a": {"olderThan": "604800s"}}}

    assert sorted(shown(document, prior)["policies"], key=lambda one: one["id"]) == prior["policies"]


def test_settling_keeps_what_was_planned_and_fills_only_the_unknown():
    planned = state(display_name="mine", create_time=UNKNOWN, step=[{"name": UNKNOWN}, {"name": "b"}])
    observed = state(display_name="theirs", create_time="now", step=[{"name": "a"}, {"name": "c"}])

    settled = settle(BODY, planned, observed)

    assert (settled["display_name"], settled["create_time"]) == ("mine", "now")
    assert settled["step"] == [{"name": "a"}, {"name": "b"}]


def test_settling_a_set_finds_the_partner_by_what_is_known():
    planned = state(policies=[{"id": "a", "older_than": UNKNOWN}, {"id": "b", "older_than": UNKNOWN}])
    observed = state(policies=[{"id": "b", "older_than": "2d"}, {"id": "a", "older_than": "1d"}])

    assert settle(BODY, planned, observed)["policies"] == [
        {"id": "a", "older_than": "1d"},
        {"id": "b", "older_than": "2d"},
    ]
