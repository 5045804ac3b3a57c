"""Every knob of the page, read once from the environment. Knows no other part of the page."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENDPOINT_NAME = re.compile(r"projects/[^/]+/locations/(?P<region>[^/]+)/endpoints/[^/]+")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class UiConfig(BaseSettings):
    """Built once in `__main__`, then passed down; nothing else reads the environment."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    endpoint: str = Field(
        validation_alias="ENDPOINT",
        description="full name of the Vertex AI endpoint: projects/P/locations/REGION/endpoints/ID",
    )
    predict_url: str = Field(
        validation_alias="PREDICT_URL",
        description="where predictions are asked for: the endpoint's URL that ends in :predict",
    )
    model_name: str = Field(
        validation_alias="MODEL_NAME", min_length=1, description="the deployed model's name, as the page shows it"
    )
    price_usd_per_hour: float | None = Field(
        default=None,
        validation_alias="PRICE_USD_PER_HOUR",
        ge=0,
        allow_inf_nan=False,
        description="list price of the deployed endpoint; the page says so when it is not known",
    )
    region: str = Field(
        default="", validation_alias="REGION", description="where the endpoint is; empty means as its name says"
    )
    host: str = Field(default="0.0.0.0", validation_alias="HOST", description="address to listen on")
    port: int = Field(
        default=7860, validation_alias="PORT", ge=0, le=65535, description="port to listen on; 0 takes a free one"
    )
    predict_timeout_s: PositiveFloat = Field(
        default=150.0,
        validation_alias="PREDICT_TIMEOUT_S",
        allow_inf_nan=False,
        description="how long one prediction may take. The server gives up after 120 s by default, "
        "Vertex AI after 60 s on shared endpoints; it must be below the request timeout of Cloud Run (300 s)",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="LOG_LEVEL", description="least severe log line that is written"
    )

    @property
    def where(self) -> str:
        """The region, from REGION or from the endpoint's name."""
        match = ENDPOINT_NAME.fullmatch(self.endpoint)
        return self.region or (match["region"] if match else "")

    @field_validator("price_usd_per_hour", mode="before")
    @classmethod
    def _empty_is_unknown(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        if ENDPOINT_NAME.fullmatch(value) is None:
            raise ValueError("must be a full name, projects/P/locations/REGION/endpoints/ID")
        return value

    @field_validator("predict_url")
    @classmethod
    def _check_predict_url(cls, value: str) -> str:
        try:
            url = urlsplit(value)
            host, _ = url.hostname, url.port  # the port is parsed only when it is asked for
        except ValueError as error:
            raise ValueError(f"must be a URL ({error})") from error
        if url.scheme not in ("http", "https") or not host or not url.path.endswith(":predict"):
            raise ValueError("must be a URL that ends in :predict, https://HOST/v1/projects/…/endpoints/ID:predict")
        # every request carries this identity's token
        if url.scheme == "http" and host not in LOOPBACK:
            raise ValueError(f"must be https; plain http is for this machine alone ({', '.join(LOOPBACK)})")
        return value


def explain(error: ValidationError) -> list[str]:
    """One line per wrong setting: its variable, what is allowed, the value got."""
    lines = []
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0])
        if problem["type"] == "missing":
            field = next(f for f in UiConfig.model_fields.values() if f.validation_alias == name)
            lines.append(f"{name} is not set; it is the {field.description}")
            continue
        message = problem["msg"].removeprefix("Value error, ").replace("Input should", "must").replace("valid ", "")
        lines.append(f"{name} {message}, got {problem['input']!r}")
    return lines
