"""Two ways to ask the endpoint for one prediction: plain HTTP, and Google's client library.

Both take the same address and give the same answer. Knows Vertex AI's bodies; knows no records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

TIMEOUT_S = 120.0


class NoPrediction(Exception):
    """The endpoint gave none; the message says what it gave instead."""


@dataclass(frozen=True)
class Target:
    """url: the stack's `predict_url`. endpoint: its full name. token: of a cloud that is not Google's own, or None."""

    url: str
    endpoint: str
    token: str | None


@dataclass(frozen=True)
class Answer:
    """text: the prediction. model: `MODEL@VERSION`, as the endpoint names who answered."""

    text: str
    model: str
    deployed_model_id: str


def by_rest(target: Target, prompt: str, *, token: Callable[[], str]) -> Answer:
    """token: a bearer token, as `gcloud auth print-access-token` gives."""
    headers = {"Authorization": f"Bearer {target.token or token()}"}
    try:
        answer = httpx.post(target.url, json={"instances": [prompt]}, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise NoPrediction(f"{target.url} does not answer: {error or type(error).__name__}") from error
    if answer.status_code != 200:
        raise NoPrediction(f"{target.url} answered {answer.status_code}: {answer.text[:500]}")
    body = answer.json()
    return _answer(body.get("predictions"), body.get("model"), body.get("modelVersionId"), body.get("deployedModelId"))


def by_sdk(target: Target, prompt: str) -> Answer:
    """With application default credentials, or none for a cloud of its own."""
    from google.api_core.client_options import ClientOptions
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform_v1
    from google.protobuf import struct_pb2

    address = urlsplit(target.url)
    # REST, since a dedicated endpoint's domain serves it; `http://` stays for a cloud on this machine.
    host = address.netloc if address.scheme == "https" else f"http://{address.netloc}"
    client = aiplatform_v1.PredictionServiceClient(
        transport="rest",
        client_options=ClientOptions(api_endpoint=host),
        credentials=AnonymousCredentials() if target.token else None,
    )
    instance = struct_pb2.Value(string_value=prompt)
    try:
        answer = client.predict(endpoint=target.endpoint, instances=[instance], timeout=TIMEOUT_S)
    except GoogleAPIError as error:
        raise NoPrediction(str(error)) from error
    return _answer(list(answer.predictions), answer.model, answer.model_version_id, answer.deployed_model_id)


def _answer(predictions: Any, model: Any, version: Any, deployed: Any) -> Answer:
    if not isinstance(predictions, list) or len(predictions) != 1 or not isinstance(predictions[0], str):
        raise NoPrediction(f"The answer holds no single text as its prediction: {str(predictions)[:300]}")
    return Answer(predictions[0], f"{str(model).rpartition('/')[2]}@{version}", str(deployed))
