"""What a resource does when its API does not do as hoped, over real HTTP."""

import pytest

from localcloud.google_provider.catalog import Catalog
from localcloud.google_provider.resources.cloud_run import SERVICE, Service
from localcloud.google_provider.resources.vertex_endpoint import ENDPOINT, Endpoint
from localcloud.google_provider.rest_resource import seconds
from localcloud.google_provider.settings import Settings
from tfplugin.planning import planned_create
from tfplugin.resource import Context, PluginError
from tfplugin.values import UNKNOWN

NAME = "projects/p/locations/l/endpoints/1"
FAILED = {"name": "operations/1", "done": True, "error": {"code": 9, "message": "no quota"}}
WAITING = {"name": "operations/1", "metadata": {}}


@pytest.fixture
def make(schemas, scripted_url):
    endpoints = {"vertex_ai_custom_endpoint": scripted_url, "cloud_run_v2_custom_endpoint": scripted_url}

    def make(kind, mapping):
        return kind(mapping, Catalog.load(schemas), lambda: Settings(project="p", region="l", endpoints=endpoints))

    return make


@pytest.fixture
def endpoint(make):
    return make(Endpoint, ENDPOINT)


def planned(resource, **values):
    state = resource.schema.body.empty() | values
    return resource.plan(Context(), None, planned_create(resource.schema.body, state), values)


def an_endpoint(endpoint, **more):
    return planned(endpoint, name="1", location="l", display_name="d", **more)


def test_a_create_sends_the_plan_and_keeps_what_the_api_answers(endpoint, script):
    shown = {"name": NAME, "displayName": "d", "etag": "e"}
    script.answers = [(200, {"name": "operations/1", "done": True, "response": shown}), (200, shown)]

    state = endpoint.create(Context(), an_endpoint(endpoint))

    assert script.calls[0][:2] == ("POST", "/v1/projects/p/locations/l/endpoints?endpointId=1")
    assert b'"displayName": "d"' in script.calls[0][2]
    assert (state["id"], state["etag"], state["project"]) == (NAME, "e", "p")
    assert UNKNOWN not in state.values()


def test_a_create_that_failed_leaves_nothing_in_the_state(endpoint, script):
    script.answers = [(200, FAILED)]

    with pytest.raises(
        PluginError, match="Error waiting to create Endpoint: Error code 9, message: no quota"
    ) as caught:
        endpoint.create(Context(), an_endpoint(endpoint))

    assert caught.value.state is None


def test_a_service_whose_create_failed_is_kept_to_be_replaced(make, script):
    service = make(Service, SERVICE)
    script.answers = [(200, FAILED)]

    with pytest.raises(PluginError) as caught:
        service.create(Context(), planned(service, name="s", location="l", template=[]))

    assert caught.value.state["id"] == "projects/p/locations/l/services/s"


def test_a_create_that_was_stopped_keeps_the_name_for_the_next_run(endpoint, script):
    script.answers = [(200, WAITING)]
    context = Context()
    context.stop.set()

    with pytest.raises(PluginError, match="Stopped while creating Endpoint") as caught:
        endpoint.create(context, an_endpoint(endpoint))

    assert caught.value.state["id"] == NAME


def test_the_timeouts_block_bounds_the_wait(endpoint, script):
    script.answers = [(200, WAITING)]

    with pytest.raises(PluginError, match=r"timeout while waiting for operations/1 to finish \(timeout: 0\.05s\)"):
        endpoint.create(Context(), an_endpoint(endpoint, timeouts={"create": "0.05s"}))


def test_a_refused_create_names_the_resource_in_the_real_providers_words(endpoint, script):
    script.answers = [(409, {"error": {"message": "it exists"}})]

    with pytest.raises(PluginError, match=r"^Error creating Endpoint: googleapi: Error 409: it exists$"):
        endpoint.create(Context(), an_endpoint(endpoint))


def test_what_is_gone_reads_as_nothing_and_deletes_without_complaint(endpoint, script):
    script.answers = [(404, {"error": {"message": "gone"}})]
    state = {**an_endpoint(endpoint), "id": NAME}

    assert endpoint.read(Context(), state) is None
    endpoint.delete(Context(), state)


def test_an_update_sends_only_what_changed_with_its_mask(endpoint, script):
    script.answers = [(200, {"name": NAME, "displayName": "new"})]
    prior = endpoint.schema.body.empty() | {"project": "p", "location": "l", "name": "1", "display_name": "d"}
    prior |= {"description": "x", "effective_labels": {}}

    endpoint.update(Context(), prior, {**prior, "display_name": "new", "description": None})

    method, path, body, _ = script.calls[0]
    assert (method, path) == ("PATCH", f"/v1/{NAME}?updateMask=description,displayName")
    assert body == b'{"displayName": "new"}'


def test_an_update_of_what_no_api_has_calls_no_api_but_to_read(make, script):
    service = make(Service, SERVICE)
    script.answers = [(200, {"name": "s"})]
    prior = service.schema.body.empty() | {"project": "p", "location": "l", "name": "s", "deletion_protection": True}

    service.update(Context(), prior, {**prior, "deletion_protection": False})

    assert [call[0] for call in script.calls] == ["GET"]


def test_an_import_without_a_project_takes_the_providers(endpoint):
    assert endpoint.import_(Context(), "l/7")["id"] == "projects/p/locations/l/endpoints/7"


def test_an_import_in_no_known_form_lists_the_forms(endpoint):
    with pytest.raises(PluginError, match="'a/b/c/d' doesn't match any of the accepted formats") as caught:
        endpoint.import_(Context(), "a/b/c/d")

    assert "projects/{{project}}/locations/{{location}}/endpoints/{{name}}" in caught.value.detail


@pytest.mark.parametrize(("text", "expected"), [("90m", 5400), ("1h30m", 5400), ("20s", 20), ("0.5s", 0.5)])
def test_durations_are_gos(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "90", "1d", "m", "1h 30m"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(PluginError, match="is no duration"):
        seconds(text)
