"""The provider block: where the APIs are, and that Google is none of them."""

import pytest

from localcloud.google_provider.settings import Settings
from tfplugin.resource import PluginError


def test_values_of_the_block_win_over_the_environment():
    environment = {"GOOGLE_PROJECT": "theirs", "GOOGLE_REGION": "us-central1", "GOOGLE_OAUTH_ACCESS_TOKEN": "t"}
    settings = Settings.of({"project": "ours"}, environment)

    assert (settings.project, settings.region, settings.access_token) == ("ours", "us-central1", "t")


def test_an_api_without_a_custom_endpoint_is_an_error_that_names_the_attribute():
    with pytest.raises(PluginError, match="vertex_ai_custom_endpoint is not set") as caught:
        Settings.of({}, {}).endpoint("vertex_ai_custom_endpoint")

    assert "never calls Google" in caught.value.detail


@pytest.mark.parametrize("value", ["http://127.0.0.1:8700/v1", "127.0.0.1:8700/v1/", "ftp://127.0.0.1/v1/"])
def test_an_endpoint_must_be_a_url_that_ends_in_a_slash(value):
    with pytest.raises(PluginError, match="storage_custom_endpoint is no URL") as caught:
        Settings.of({"storage_custom_endpoint": value}, {})

    assert value in caught.value.detail
    assert caught.value.path == ("storage_custom_endpoint",)


def test_an_endpoint_at_google_is_refused():
    with pytest.raises(PluginError, match="points at Google"):
        Settings.of({"storage_custom_endpoint": "https://storage.googleapis.com/storage/v1/"}, {})
