"""Terraform's calls, answered as the protocol wants them. The requests are real messages, Terraform is not there."""

import json

import pytest
from tf.gen import tfplugin_pb2 as pb
from toy_provider import Box, ToyProvider

from tfplugin.resource import PluginError, Stopped
from tfplugin.servicer import ProviderServicer
from tfplugin.values import UNKNOWN, decode, encode

TYPE = "toy_box"
ERROR, WARNING = pb.Diagnostic.ERROR, pb.Diagnostic.WARNING


def box(**fields):
    empty = {"id": None, "name": "a", "behaviour": None, "size": None, "tags": None, "lid": [], "sticker": []}
    return empty | fields


def lid(metal="iron", *, colour=None, weight=None, screws=None):
    return {"colour": colour, "weight": weight, "hinge": [{"metal": metal, "screws": screws}]}


@pytest.fixture
def resource():
    return Box()


@pytest.fixture
def servicer(resource):
    class Provider(ToyProvider):
        def resources(self):
            return [resource]

    return ProviderServicer(Provider())


@pytest.fixture
def plan(servicer):
    def plan_(prior, proposed, config=None):
        values = {"prior_state": prior, "proposed_new_state": proposed, "config": config or proposed}
        request = pb.PlanResourceChange.Request(type_name=TYPE, **{key: encode(one) for key, one in values.items()})
        return servicer.PlanResourceChange(request, None)

    return plan_


def paths(reply):
    return [[step.attribute_name or step.element_key_int for step in path.steps] for path in reply.requires_replace]


def test_a_planned_create_has_defaults_and_unknowns_at_every_depth(plan):
    planned = decode(plan(None, box(lid=[lid()])).planned_state)

    assert (planned["id"], planned["size"]) == (UNKNOWN, 1)
    assert planned["lid"] == [lid(weight=UNKNOWN, screws=4)]


def test_a_planned_create_goes_through_the_resource(plan, resource, monkeypatch):
    monkeypatch.setattr(resource, "plan", lambda context, prior, planned, config: planned | {"id": f"known, {prior}"})

    assert decode(plan(None, box()).planned_state)["id"] == "known, None"


def test_a_planned_destroy_is_left_as_it_is(plan):
    assert decode(plan(box(id="box/a"), None).planned_state) is None


def test_a_change_deep_inside_a_block_asks_for_a_new_resource(plan):
    prior = box(id="box/a", size=1, lid=[lid("iron", weight=7, screws=4)])
    reply = plan(prior, prior | {"lid": [lid("brass", weight=7, screws=4)]})

    assert paths(reply) == [["lid", 0, "hinge", 0, "metal"]]


def test_a_change_that_can_be_made_in_place_asks_for_none(plan):
    prior = box(id="box/a", size=1, lid=[lid(weight=7, screws=4)])
    reply = plan(prior, prior | {"lid": [lid(colour="red", weight=7, screws=4)]})

    assert paths(reply) == []


def test_a_setting_taken_away_falls_back_to_its_default(plan):
    prior = box(id="box/a", size=9)
    reply = plan(prior, prior, config=box())

    assert decode(reply.planned_state)["size"] == 1


def test_a_block_added_later_is_planned_as_new(plan):
    prior = box(id="box/a", size=1)
    reply = plan(prior, prior | {"lid": [lid()]}, config=box(lid=[lid()]))

    assert decode(reply.planned_state)["lid"] == [lid(weight=UNKNOWN, screws=4)]


def test_a_required_value_that_an_import_could_not_tell_replaces_nothing(plan):
    prior = box(id="box/a", size=1, name=None)

    assert paths(plan(prior, prior | {"name": "a"})) == []
    assert paths(plan(prior | {"name": "b"}, prior | {"name": "a"})) == [["name"]]


@pytest.fixture
def apply(servicer):
    def apply_(prior, planned):
        request = pb.ApplyResourceChange.Request(
            type_name=TYPE, prior_state=encode(prior), planned_state=encode(planned), config=encode(planned)
        )
        reply = servicer.ApplyResourceChange(request, None)
        return decode(reply.new_state), list(reply.diagnostics)

    return apply_


def test_no_unknown_is_left_after_an_apply(apply, resource, monkeypatch):
    monkeypatch.setattr(resource, "create", lambda context, planned: planned)
    state, diagnostics = apply(None, box(id=UNKNOWN, lid=[lid(weight=UNKNOWN)]))

    assert diagnostics == []
    assert (state["id"], state["lid"]) == (None, [lid()])


def raising(error):
    def raise_(*_):
        raise error

    return raise_


def test_a_failed_create_leaves_nothing_unless_the_error_kept_a_state(apply, resource, monkeypatch):
    monkeypatch.setattr(resource, "create", raising(PluginError("no", "because", path=("lid", 0, "colour"))))
    state, (problem,) = apply(None, box())
    assert (state, problem.summary, problem.detail, problem.severity) == (None, "no", "because", ERROR)
    assert [step.attribute_name for step in problem.attribute.steps] == ["lid", "", "colour"]

    monkeypatch.setattr(resource, "create", raising(PluginError("no", state=box(id="box/a"))))
    assert apply(None, box())[0]["id"] == "box/a"


@pytest.mark.parametrize("error", [PluginError("no"), Stopped(), KeyError("x")])
def test_a_failed_update_or_delete_leaves_what_was_there(apply, resource, monkeypatch, error):
    monkeypatch.setattr(resource, "update", raising(error))
    monkeypatch.setattr(resource, "delete", raising(error))
    prior = box(id="box/a")

    for planned in (prior | {"size": 2}, None):
        state, (problem,) = apply(prior, planned)
        assert (state, problem.severity) == (prior, ERROR)


def test_a_delete_leaves_nothing(apply):
    assert apply(box(id="box/a"), None) == (None, [])


def read(servicer, state):
    request = pb.ReadResource.Request(type_name=TYPE, current_state=encode(state))
    reply = servicer.ReadResource(request, None)
    return decode(reply.new_state), [one.severity for one in reply.diagnostics]


def test_gone_on_read_is_a_null_state_without_an_error(servicer, resource, monkeypatch):
    monkeypatch.setattr(resource, "read", lambda context, state: None)

    assert read(servicer, box(id="box/a")) == (None, [])


def test_a_read_that_fails_keeps_the_state(servicer, resource, monkeypatch):
    monkeypatch.setattr(resource, "read", raising(PluginError("unreachable")))

    assert read(servicer, box(id="box/a")) == (box(id="box/a"), [ERROR])


def test_a_warning_travels_with_a_result(servicer, resource, monkeypatch):
    def warn(context, state):
        context.warn("look", "here")
        return state

    monkeypatch.setattr(resource, "read", warn)

    assert read(servicer, box(id="box/a")) == (box(id="box/a"), [WARNING])


def test_a_stop_is_seen_by_calls_that_are_in_flight_and_those_that_come(servicer, resource, monkeypatch):
    monkeypatch.setattr(resource, "read", lambda context, state: context.wait(60))
    servicer.StopProvider(pb.StopProvider.Request(), None)

    assert read(servicer, box(id="box/a")) == (box(id="box/a"), [ERROR])


def test_an_import_fills_what_the_resource_did_not_tell(servicer):
    reply = servicer.ImportResourceState(pb.ImportResourceState.Request(type_name=TYPE, id="box/a"), None)

    (imported,) = reply.imported_resources
    assert decode(imported.state) == box(id="box/a", size=1)


def test_a_state_of_an_older_schema_keeps_what_is_still_known(servicer):
    raw = pb.RawState(json=json.dumps({"id": "box/a", "name": "a", "paint": "green"}).encode())
    request = pb.UpgradeResourceState.Request(type_name=TYPE, version=0, raw_state=raw)

    assert decode(servicer.UpgradeResourceState(request, None).upgraded_state) == box(id="box/a")


def test_the_schema_tells_nesting_and_what_is_sensitive(servicer):
    reply = servicer.GetProviderSchema(pb.GetProviderSchema.Request(), None)

    assert reply.provider.block.attributes[0].sensitive
    blocks = {one.type_name: one for one in reply.resource_schemas[TYPE].block.block_types}
    nesting = pb.Schema.NestedBlock.NestingMode
    assert (blocks["lid"].nesting, blocks["lid"].max_items) == (nesting.LIST, 1)
    assert blocks["sticker"].nesting == nesting.SET
    assert [one.type_name for one in blocks["lid"].block.block_types] == ["hinge"]


def weigh(servicer, **config):
    empty = {"name": "feather", "number": None, "grams": None}
    request = pb.ReadDataSource.Request(type_name="toy_scales", config=encode(empty | config))
    reply = servicer.ReadDataSource(request, None)
    return decode(reply.state), list(reply.diagnostics)


def test_a_data_source_is_in_the_schema_and_in_the_metadata(servicer):
    schemas = servicer.GetProviderSchema(pb.GetProviderSchema.Request(), None).data_source_schemas
    metadata = servicer.GetMetadata(pb.GetMetadata.Request(), None).data_sources

    assert [one.name for one in schemas["toy_scales"].block.attributes] == ["name", "number", "grams"]
    assert [one.type_name for one in metadata] == ["toy_scales"]


def test_a_data_source_reads_with_its_defaults(servicer):
    assert weigh(servicer) == ({"name": "feather", "number": 1, "grams": 7}, [])
    assert weigh(servicer, number=3)[0]["grams"] == 21


def test_a_data_source_that_finds_nothing_is_an_error_at_its_attribute(servicer):
    state, (problem,) = weigh(servicer, name="ghost")

    assert (state, problem.summary, problem.severity) == (None, "Nothing on the scales", ERROR)
    assert [step.attribute_name for step in problem.attribute.steps] == ["name"]


def test_a_data_source_is_validated(servicer):
    config = encode({"name": "", "number": UNKNOWN, "grams": None})
    request = pb.ValidateDataResourceConfig.Request(type_name="toy_scales", config=config)

    (problem,) = servicer.ValidateDataResourceConfig(request, None).diagnostics
    assert problem.summary == "A thing has a name"
