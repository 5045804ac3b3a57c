"""Requests and answers of the Open Inference Protocol: JSON, with or without bytes behind it. Knows no model.

Source: https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from serving.errors import InvalidRequest
from serving.exchange.bodies import checked, parse_json
from serving.exchange.media import media_type
from serving.wires.kserve.tensors import InputTensor, Tensor, read_tensor

LENGTH_HEADER = "Inference-Header-Content-Length"
# How Triton's clients send bytes through a cloud that hands no such header on.
CLOUD_TYPES = ("application/vnd.sagemaker-triton.binary+json", "application/vnd.vertex-ai-triton.binary+json")
MAX_TENSORS = 32


class WantedOutput(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=16)


class InferMessage(BaseModel):
    """The JSON of an inference request."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str | None = Field(default=None, max_length=256)
    # some clients say again what the path says
    model_name: str | None = None
    model_version: str | None = None
    inputs: list[InputTensor] = Field(min_length=1, max_length=MAX_TENSORS)
    outputs: list[WantedOutput] = Field(default_factory=list, max_length=MAX_TENSORS)
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=48)


@dataclass(frozen=True, slots=True)
class InferRequest:
    """One inference request, its tensors read. `parameters` are those that are no matter of the message itself."""

    message: InferMessage
    inputs: Mapping[str, Tensor]
    parameters: Mapping[str, Any]
    content_type: str = ""

    def is_binary(self, output: str) -> bool:
        asked = next((one.parameters for one in self.message.outputs if one.name == output), {})
        return bool(asked.get("binary_data", self.message.parameters.get("binary_data_output", False)))


def is_cloud_type(content_type: str) -> bool:
    return media_type(content_type) in CLOUD_TYPES


def read_request(raw: bytes, headers: Mapping[str, str]) -> InferRequest:
    """Raises `MalformedBody` or `InvalidRequest`."""
    content_type = headers.get("content-type", "")
    length = _header_length(headers, content_type)
    if length is not None and length > len(raw):
        raise InvalidRequest(f"{LENGTH_HEADER} is {length}, and the body has {len(raw)} bytes")
    return read_message(parse_json(raw[:length]), b"" if length is None else raw[length:], content_type)


def read_message(value: Any, rest: bytes = b"", content_type: str = "") -> InferRequest:
    message = checked(value, InferMessage, known=tuple(InferMessage.model_fields))
    inputs: dict[str, Tensor] = {}
    for told in message.inputs:
        if told.name in inputs:
            raise InvalidRequest(f"input {told.name[:60]} is there twice")
        size = told.binary_size
        if size is not None and size > len(rest):
            raise InvalidRequest(f"input {told.name[:60]}: binary_data_size is {size}, and {len(rest)} bytes are left")
        inputs[told.name] = read_tensor(told, None if size is None else rest[:size])
        rest = rest[size or 0 :]
    if rest:
        raise InvalidRequest(f"{len(rest)} bytes behind the JSON belong to no input")
    for wanted in message.outputs:
        if "shared_memory_region" in wanted.parameters or "classification" in wanted.parameters:
            raise InvalidRequest(f"output {wanted.name[:60]}: neither shared memory nor classification is done here")
    own = {"binary_data_output"}
    parameters = {name: item for name, item in message.parameters.items() if name not in own}
    return InferRequest(message, inputs, parameters, content_type)


def answer(request: InferRequest, outputs: Sequence[Tensor], *, model: str, version: str) -> Response:
    """The wanted outputs, or all; each in JSON, or behind it as bytes where that is asked."""
    by_name = {output.name: output for output in outputs}
    wanted = [one.name for one in request.message.outputs] or list(by_name)
    if unknown := next((name for name in wanted if name not in by_name), None):
        raise InvalidRequest(f"output {unknown[:60]!r} is not known, known are {', '.join(by_name)}")
    documents, rest = [], b""
    for output in (by_name[name] for name in wanted):
        document = output.document()
        if request.is_binary(output.name):
            packed = output.packed()
            document["parameters"] = {"binary_data_size": len(packed)}
            rest += packed
        else:
            document["data"] = list(output.values)
        documents.append(document)
    told: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": documents}
    if request.message.id:
        told["id"] = request.message.id
    return _with_bytes(told, rest, request) if rest else JSONResponse(told)


def _with_bytes(told: dict[str, Any], rest: bytes, request: InferRequest) -> Response:
    head = json.dumps(told, ensure_ascii=False).encode()
    if is_cloud_type(request.content_type):
        kind = f"{media_type(request.content_type)};json-header-size={len(head)}"
        return Response(head + rest, media_type=kind)
    headers = {LENGTH_HEADER: str(len(head))}
    return Response(head + rest, media_type="application/octet-stream", headers=headers)


def _header_length(headers: Mapping[str, str], content_type: str) -> int | None:
    """Bytes of the JSON, where bytes follow it."""
    if is_cloud_type(content_type):
        found = re.search(r";\s*json-header-size=([^;]*)", content_type)
        name, text = "json-header-size", found[1].strip() if found else ""
    else:
        name, text = LENGTH_HEADER, headers.get(LENGTH_HEADER, "").strip()
        if not text and LENGTH_HEADER.lower() not in headers:
            return None
    if not re.fullmatch(r"\d{1,12}", text):
        raise InvalidRequest(f"{name} should be a number of bytes, got {text[:60]!r}")
    return int(text)
