"""Vertex AI's prediction request and the shapes of its answer. Translates; knows no HTTP.

Source: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.config import MOST_INSTANCES
from serving.exchange.instances import Instance
from serving.request import GenerateBody, Parameters, refuse_many_names
from serving.sequence import Completion


class PredictRequest(BaseModel):
    """A prediction request. Parameters of an instance win over the shared ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    # the server's own limit is lower; this one keeps a hundred thousand instances from being looked at
    instances: list[Instance] = Field(min_length=1, max_length=MOST_INSTANCES)
    parameters: Parameters | None = None  # Google's own client sends null when it is given none
    stream: bool = Field(default=False, description="answer with server-sent events; for streamRawPredict")

    @model_validator(mode="before")
    @classmethod
    def _refuse_many_names(cls, value: object) -> object:
        refuse_many_names(value)
        return value

    def bodies(self) -> list[GenerateBody]:
        shared = self.parameters.model_dump(exclude_unset=True) if self.parameters else {}
        return [GenerateBody(**{**shared, **i.model_dump(exclude_unset=True)}) for i in self.instances]


NAMES = (*PredictRequest.model_fields, *GenerateBody.model_fields)


class Counts(BaseModel):
    """What one prediction took."""

    num_prompt_tokens: int
    num_tokens: int = Field(description="generated, the end token included")
    finish_reason: Literal["eos", "length", "stop"]


class Metadata(BaseModel):
    """Of the whole request, and of each prediction in order. Vertex AI hands it on as it is."""

    num_prompt_tokens: int
    num_tokens: int
    predictions: list[Counts]


class PredictResponse(BaseModel):
    """One prediction per instance, in order."""

    predictions: list[str]
    metadata: Metadata


def answer(completions: Sequence[Completion], *, nesting: str) -> dict[str, Any]:
    """The body of an answer; `nesting` "once" and "twice" are the shapes of the first demos, without metadata."""
    texts = [completion.text for completion in completions]
    if nesting == "once":
        return {"predictions": [texts]}
    if nesting == "twice":
        return {"predictions": [[[text] for text in texts]]}
    return {"predictions": texts, "metadata": _metadata(completions)}


def _metadata(completions: Sequence[Completion]) -> dict[str, Any]:
    return {
        "num_prompt_tokens": sum(completion.num_prompt_tokens for completion in completions),
        "num_tokens": sum(completion.num_tokens for completion in completions),
        "predictions": [
            {
                "num_prompt_tokens": completion.num_prompt_tokens,
                "num_tokens": completion.num_tokens,
                "finish_reason": completion.finish_reason,
            }
            for completion in completions
        ],
    }
