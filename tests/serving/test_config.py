import re

import pytest
from pydantic import ValidationError

from serving.config import ServerConfig, explain


def config(monkeypatch, **env):
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    return ServerConfig()


def test_vertex_routes_and_port_come_from_its_variables(monkeypatch):
    got = config(monkeypatch, AIP_HEALTH_ROUTE="/alive", AIP_PREDICT_ROUTE="/v1/ask", AIP_HTTP_PORT="8081")

    assert (got.health_route, got.predict_route, got.port) == ("/alive", "/v1/ask", 8081)


def test_routes_and_port_have_the_defaults_of_the_first_demo(monkeypatch):
    got = config(monkeypatch)

    assert (got.health_route, got.predict_route, got.port) == ("/health", "/predict", 7080)


def test_cloud_runs_port_is_taken_when_vertex_names_none(monkeypatch):
    assert config(monkeypatch, PORT="9000").port == 9000
    assert config(monkeypatch, PORT="9000", AIP_HTTP_PORT="9001").port == 9001


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"AIP_PREDICT_ROUTE": "/predict"}, "AIP_HEALTH_ROUTE is not set though its sibling is"),
        ({"AIP_HEALTH_ROUTE": "/health"}, "AIP_PREDICT_ROUTE is not set though its sibling is"),
        ({"AIP_HEALTH_ROUTE": "/a", "AIP_PREDICT_ROUTE": "/a"}, "must differ, both are '/a'"),
        ({"AIP_HEALTH_ROUTE": "a", "AIP_PREDICT_ROUTE": "/p"}, "must start with '/'"),
        ({"AIP_HEALTH_ROUTE": "/docs", "AIP_PREDICT_ROUTE": "/p"}, "got '/docs'"),
        ({"AIP_HTTP_PORT": "ten"}, "AIP_HTTP_PORT: .*got 'ten'"),
        ({"MAX_WAITING": "0"}, "MAX_WAITING: .*greater than 0, got '0'"),
        ({"DTYPE": "int8"}, "DTYPE: .*'bfloat16'.*got 'int8'"),
        ({"MAX_BATCH_TOKENS": "100"}, "MAX_BATCH_TOKENS must hold one whole request.*= 1536, got 100"),
        ({"DEFAULT_NEW_TOKENS": "600"}, r"DEFAULT_NEW_TOKENS must be at most MAX_NEW_TOKENS \(512\), got 600"),
        ({"MAX_WAITING_TOKENS": "100"}, "MAX_WAITING_TOKENS must hold one whole request.*= 1536, got 100"),
        ({"CLIENT_HEADER": "x client"}, "CLIENT_HEADER: .*got 'x client'"),
        ({"MAX_CLIENT_SHARE": "1.5"}, "MAX_CLIENT_SHARE: .*got '1.5'"),
        (
            {"CLIENT_HEADER": "x-client", "MAX_CLIENT_SHARE": "0.1"},
            r"at most MAX_CLIENT_SHARE of MAX_WAITING \(12.8\) where CLIENT_HEADER is set, got 32",
        ),
        ({"MAX_INSTANCES": "500"}, r"MAX_INSTANCES must be at most MAX_WAITING \(128\), got 500"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(monkeypatch, env, sentence):
    with pytest.raises(ValidationError) as caught:
        config(monkeypatch, **env)

    assert len(explain(caught.value)) == 1
    assert re.search(sentence, explain(caught.value)[0])


def test_every_setting_says_what_it_does_and_which_variable_sets_it():
    for name, field in ServerConfig.model_fields.items():
        assert field.validation_alias, name
        assert len(field.description or "") > 10, name
