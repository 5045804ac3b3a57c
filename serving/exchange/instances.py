"""An instance of a prediction request, as clients of Vertex AI, TorchServe and the GKE demo write it.

Several shapes that mean one thing: a prompt, perhaps with parameters of its own. Knows no HTTP.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from serving.request import GenerateBody, refuse_many_names

# inputs is Hugging Face's word for a prompt; data and body are what TorchServe's handlers are given
PROMPT_NAMES = ("prompt", "inputs", "data", "body")
WANTED = 'should be "text", ["text"] or {"prompt": "text"}'


def _as_object(value: object) -> object:
    """ "text", ["text"] and [["text"]] mean {"prompt": "text"}; {"inputs": …, "parameters": {…}} is flattened."""
    for _ in range(2):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
    if isinstance(value, str):
        return {"prompt": value}
    if isinstance(value, GenerateBody):
        return value
    if not isinstance(value, dict):
        raise ValueError(WANTED)
    refuse_many_names(value)
    named = [name for name in PROMPT_NAMES if name in value]
    if len(named) > 1:
        raise ValueError(f"should have {' or '.join(named)}, not both")
    value = {"prompt" if name in named else name: item for name, item in value.items()}
    own = value.get("parameters")
    if own is None or isinstance(own, dict):
        return {**(own or {}), **{name: item for name, item in value.items() if name != "parameters"}}
    raise ValueError("should have an object of parameters")


Instance = Annotated[GenerateBody, BeforeValidator(_as_object)]


def instance_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of an instance, in all the shapes it may have."""
    text = {"type": "string", "minLength": 1}
    one = {"type": "array", "items": text, "minItems": 1, "maxItems": 1}
    return {"anyOf": [text, one, schema]}
