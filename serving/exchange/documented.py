"""What /docs says of bodies that routes read themselves, and of the refusals that all wires share.

Knows OpenAPI; knows no wire.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from serving.exchange.deadline import HEADER

Documented = dict[int | str, dict[str, Any]]

MEANING = {
    400: "the body is not what this protocol asks for; the message says what, the value got, the value allowed",
    401: "a key is asked for (KEYS_FILE), and none or an unknown one was sent",
    404: "no such model",
    405: "one model is served, and it cannot be changed",
    413: "the body is too large",
    415: "the body is compressed, or of a type that is not read",
    422: "the body has to change; the message says what, the value got, the value allowed",
    429: "the queue is full, or this client's quota is used up; Retry-After says when to come back",
    500: "the engine failed on this batch",
    503: "the weights still load, or the server is going away",
    504: f"not finished within REQUEST_TIMEOUT_S, or what header {HEADER} asks for",
}
# Of a route that generates and knows no paths below it.
GENERATING = (400, 401, 413, 415, 429, 500, 503, 504)


def failures(*statuses: int) -> Documented:
    """The refusals of one route."""
    return {status: {"description": MEANING[status]} for status in sorted(set(statuses))}


def json_body(model: type[BaseModel], *, example: Any) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its JSON body itself, so that one place words every error."""
    return body_of({"application/json": {"schema": inlined(model), "example": example}})


def body_of(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema without references, which could not be followed from inside a route's description."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def expand(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return expand(definitions[value["$ref"].rpartition("/")[2]])
            return {key: expand(item) for key, item in value.items()}
        return [expand(item) for item in value] if isinstance(value, list) else value

    expanded: dict[str, Any] = expand(schema)
    return expanded
