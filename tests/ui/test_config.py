import pytest
from pydantic import ValidationError

from tests.ui.conftest import ENDPOINT
from ui.config import UiConfig, explain

REQUIRED = {"ENDPOINT": ENDPOINT, "PREDICT_URL": f"https://host/v1/{ENDPOINT}:predict", "MODEL_NAME": "flan-t5-xxl"}
KNOBS = [str(field.validation_alias) for field in UiConfig.model_fields.values()]


@pytest.fixture
def configure(monkeypatch):
    for name in KNOBS:
        monkeypatch.delenv(name, raising=False)

    def build(**environment):
        for name, value in (REQUIRED | environment).items():
            monkeypatch.setenv(name, value)
        return UiConfig()

    return build


def test_three_settings_are_enough(configure):
    config = configure()

    assert (config.host, config.port) == ("0.0.0.0", 7860)
    assert config.price_usd_per_hour is None
    assert config.where == "europe-west4"


def test_a_region_that_is_set_wins_over_the_endpoints_name(configure):
    assert configure(REGION="us-central1").where == "us-central1"


def test_the_configuration_cannot_be_changed(configure):
    with pytest.raises(ValidationError):
        configure().port = 1


def test_what_is_missing_is_named_as_the_operator_knows_it(configure, monkeypatch):
    configure()
    for name in REQUIRED:
        monkeypatch.delenv(name)

    with pytest.raises(ValidationError) as caught:
        UiConfig()

    lines = explain(caught.value)
    assert [line.split()[0] for line in lines] == ["ENDPOINT", "PREDICT_URL", "MODEL_NAME"]
    assert all("is not set" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ENDPOINT", "4711", "must be a full name, projects/P/locations/REGION/endpoints/ID, got '4711'"),
        ("PREDICT_URL", "https://host/v1/x", "must be a URL that ends in :predict"),
        ("PREDICT_URL", "host/v1/x:predict", "must be a URL that ends in :predict"),
        ("PREDICT_URL", "https://[host/v1/x:predict", "must be a URL"),
        ("PREDICT_URL", "https://host:port/v1/x:predict", "must be a URL"),
        ("PREDICT_URL", "http://example.org/v1/x:predict", "must be https"),
        ("PRICE_USD_PER_HOUR", "-1", "must be greater than or equal to 0, got '-1'"),
        ("PRICE_USD_PER_HOUR", "nan", "must be a finite number"),
        ("PORT", "70000", "must be less than or equal to 65535, got '70000'"),
        ("MODEL_NAME", "", "at least 1 character"),
        ("PREDICT_TIMEOUT_S", "0", "must be greater than 0"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_what_is_allowed(configure, name, value, said):
    with pytest.raises(ValidationError) as caught:
        configure(**{name: value})

    (line,) = explain(caught.value)
    assert line.startswith(name)
    assert said in line


def test_plain_http_is_for_this_machine_alone(configure):
    url = f"http://127.0.0.1:8701/v1/{ENDPOINT}:predict"

    assert configure(PREDICT_URL=url).predict_url == url


def test_an_empty_price_is_an_unknown_one(configure):
    assert configure(PRICE_USD_PER_HOUR="").price_usd_per_hour is None
