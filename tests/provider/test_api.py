"""Calls to Google: credentials, retries, and errors that say what to do. A scripted server answers."""

import threading
import time

import pytest

from provider import api as module
from provider.api import Api, ApiError, Settings
from tfplugin.resource import PluginError, Stopped

OK = (200, {"name": "x"})


def refusal(status, reason, message="no", **headers):
    return (status, {"error": {"code": status, "status": reason, "message": message}}, headers)


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def api(script):
    return Api(Settings(project="p", region="r1", api_endpoint=script.url + "/", access_token="secret"))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.001)


def test_the_configured_token_is_sent(api, script, stop):
    script.answers = [OK]

    assert api.get("aiplatform", "/v1/x", stop=stop) == {"name": "x"}
    assert script.calls[0][3]["authorization"] == "Bearer secret"


def test_one_address_serves_every_api_and_else_each_has_googles_own():
    local = Api(Settings(project="p", region="r1", api_endpoint="http://127.0.0.1:1/"))
    google = Api(Settings(project="p", region="r1"))

    assert {local.host(service) for service in module.HOSTS} == {"http://127.0.0.1:1"}
    assert google.host("aiplatform") == "https://r1-aiplatform.googleapis.com"
    assert google.host("aiplatform", region="r2") == "https://r2-aiplatform.googleapis.com"
    assert google.host("cloudbuild") == "https://cloudbuild.googleapis.com"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_is_tried_again_when_the_service_is_down(api, script, stop, status):
    script.answers = [refusal(status, "UNAVAILABLE"), (status, b"<html>proxy</html>"), OK]

    assert api.get("aiplatform", "/v1/x", stop=stop) == {"name": "x"}
    assert len(script.calls) == 3


def test_what_may_have_been_done_is_not_asked_for_twice(api, script, stop):
    script.answers = [refusal(500, "INTERNAL"), OK]
    with pytest.raises(ApiError) as caught:
        api.call("aiplatform", "POST", "/v1/x:deployModel", stop=stop, json={})

    assert caught.value.reason == "INTERNAL"
    assert len(script.calls) == 1


def test_what_was_refused_for_the_moment_is_asked_for_again(api, script, stop):
    script.answers = [refusal(429, "RESOURCE_EXHAUSTED"), refusal(503, "UNAVAILABLE"), OK]
    api.call("aiplatform", "POST", "/v1/x:deployModel", stop=stop, json={"a": 1})

    assert [call[2] for call in script.calls] == [b'{"a": 1}'] * 3


def test_the_server_says_how_long_to_wait(api, script, stop):
    script.answers = [refusal(429, "RESOURCE_EXHAUSTED", **{"Retry-After": "1"}), OK]
    started = time.monotonic()
    api.get("aiplatform", "/v1/x", stop=stop)

    assert time.monotonic() - started >= 1


def test_a_stop_ends_the_wait_between_two_tries(api, script, stop):
    script.answers = [refusal(503, "UNAVAILABLE", **{"Retry-After": "30"})]
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        api.get("aiplatform", "/v1/x", stop=stop)

    assert time.monotonic() - started < 5


def test_tries_have_an_end(api, script, stop):
    script.answers = [refusal(503, "UNAVAILABLE", "down for maintenance")]
    with pytest.raises(ApiError) as caught:
        api.get("aiplatform", "/v1/x", stop=stop)

    assert caught.value.summary == "UNAVAILABLE: down for maintenance"
    assert len(script.calls) == module.MAX_TRIES


@pytest.mark.parametrize(("status", "cure"), [(401, "credentials have expired"), (403, "lacks a permission")])
def test_a_refused_identity_is_told_its_cure_and_never_the_token(api, script, stop, status, cure):
    script.answers = [refusal(status, "DENIED", "not you")]
    with pytest.raises(ApiError) as caught:
        api.find("aiplatform", "/v1/x", stop=stop)

    assert (caught.value.status, caught.value.summary) == (status, "DENIED: not you")
    assert cure in caught.value.detail
    assert "secret" not in caught.value.detail
    assert len(script.calls) == 1


def test_only_not_found_means_gone(api, script, stop):
    script.answers = [refusal(404, "NOT_FOUND")]

    assert api.find("aiplatform", "/v1/x", stop=stop) is None


def test_an_api_that_does_not_answer_is_an_error(stop):
    api = Api(Settings(project="p", region="r", api_endpoint="http://127.0.0.1:9", access_token="secret"))
    with pytest.raises(ApiError, match="cannot be reached") as caught:
        api.find("aiplatform", "/v1/x", stop=stop)

    assert caught.value.status == 0
    assert caught.value.may_pass


def test_a_page_that_is_no_api_is_an_error_with_its_first_words(api, script, stop):
    script.answers = [(200, b"<html>Please log in")]
    with pytest.raises(ApiError, match="no Google API") as caught:
        api.call("aiplatform", "POST", "/v1/x", stop=stop)

    assert "Please log in" in caught.value.detail
    assert not caught.value.may_pass


def test_missing_credentials_are_named_with_their_cure(script, stop, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    api = Api(Settings(project="p", region="r", api_endpoint=script.url))
    with pytest.raises(PluginError, match="No Google credentials") as caught:
        api.get("aiplatform", "/v1/x", stop=stop)

    assert "gcloud auth application-default login" in caught.value.detail


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(api, script, stop, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    script.answers = [OK]

    assert api.get("aiplatform", "/v1/x", stop=stop) == {"name": "x"}


def test_an_escaped_slash_stays_escaped(api, script, stop):
    script.answers = [OK]
    api.get("artifactregistry", "/v1/packages/a%2Fb/tags/t", stop=stop)

    assert script.requests == ["GET /v1/packages/a%2Fb/tags/t"]
