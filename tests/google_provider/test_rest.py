"""One API over real HTTP: errors, retries, long-running operations."""

import pytest

from localcloud.google_provider.rest import Api, ApiFailure, OperationFailed, OperationTimeout, Unreachable
from tfplugin.resource import Context, Stopped


@pytest.fixture
def api(scripted_url):
    return Api(scripted_url, access_token="token")


def test_calls_go_below_the_base_with_the_token_and_json(api, script):
    script.answers = [(200, {"name": "n"})]

    assert api.call(Context(), "POST", "things?thingId=n", {"a": 1}) == {"name": "n"}
    assert script.calls == [("POST", "/v1/things?thingId=n", b'{"a": 1}', "Bearer token")]


def test_an_empty_answer_is_an_empty_document(api, script):
    script.answers = [(204, b"")]

    assert api.call(Context(), "DELETE", "things/n") == {}


def test_a_refusal_reads_as_googles_go_client_prints_it(api, script):
    script.answers = [(409, {"error": {"code": 409, "message": "it exists", "status": "ALREADY_EXISTS"}})]

    with pytest.raises(ApiFailure, match=r"^googleapi: Error 409: it exists$"):
        api.call(Context(), "POST", "things", {})


def test_a_refusal_that_is_no_json_keeps_its_text(api, script):
    script.answers = [(502, b"bad gateway")]

    with pytest.raises(ApiFailure, match="Error 502: bad gateway"):
        api.call(Context(), "GET", "things")


@pytest.mark.parametrize("status", [429, 503])
def test_too_many_requests_and_unavailable_are_tried_again(api, script, status):
    script.answers = [(status, {"error": {"message": "busy"}}), (200, {"name": "n"})]

    assert api.call(Context(), "POST", "things", {}) == {"name": "n"}
    assert len(script.calls) == 2


def test_nobody_there_says_what_to_start():
    api = Api("http://127.0.0.1:9/v1/", access_token="")

    with pytest.raises(Unreachable, match="python -m localcloud serve"):
        api.call(Context(), "POST", "things", {})


def test_an_operation_is_polled_until_it_is_done(api, script):
    waiting = {"name": "projects/p/operations/1", "metadata": {}}
    script.answers = [(200, waiting), (200, {**waiting, "done": True, "response": {"name": "n"}})]

    assert api.finished(Context(), waiting, timeout_s=5) == {"name": "n"}
    assert {call[1] for call in script.calls} == {"/v1/projects/p/operations/1"}


def test_an_operation_that_failed_tells_its_error(api):
    failed = {"name": "operations/1", "done": True, "error": {"code": 9, "message": "no quota"}}

    with pytest.raises(OperationFailed, match="Error code 9, message: no quota"):
        api.finished(Context(), failed, timeout_s=5)


def test_an_operation_that_takes_too_long_is_given_up_with_its_name(api, script):
    script.answers = [(200, {"name": "operations/1", "metadata": {}})]

    with pytest.raises(OperationTimeout, match="operations/1"):
        api.finished(Context(), {"name": "operations/1", "metadata": {}}, timeout_s=0.05)


def test_a_stop_ends_the_wait_for_an_operation(api, script):
    script.answers = [(200, {"name": "operations/1", "metadata": {}})]
    context = Context()
    context.stop.set()

    with pytest.raises(Stopped):
        api.finished(context, {"name": "operations/1", "metadata": {}}, timeout_s=5)


def test_a_resource_is_no_operation(api):
    assert api.finished(Context(), {"name": "projects/p/things/n", "state": "ON"}, timeout_s=0) == {
        "name": "projects/p/things/n",
        "state": "ON",
    }
