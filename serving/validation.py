"""Decides whether the server can do what a body asks. Knows no wire, no tensors.

Every refusal says what is wrong, the value got, and the value allowed.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from serving.errors import InvalidRequest
from serving.folder_defaults import PromptTemplate
from serving.request import (
    MAX_LOGPROBS,
    Beams,
    GenerateBody,
    Parameters,
    PromptBody,
    Sampling,
    TokensBody,
    ValidRequest,
)
from serving.text import Tokenizer

# No known tokenizer averages more over real text; beyond it the text is refused unread, so that a prompt of
# megabytes costs no tokenizer time.
MAX_CHARS_PER_TOKEN = 32
MAX_PROBLEMS = 10
MAX_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """The server's own bounds on one request.

    max_held_tokens: of one prediction, its beams together. max_request_tokens: of all its predictions.
    """

    max_input_tokens: int
    max_new_tokens: int
    default_new_tokens: int
    max_beams: int = 1
    max_held_tokens: int = sys.maxsize
    max_request_tokens: int = sys.maxsize

    @property
    def max_chars(self) -> int:
        return self.max_input_tokens * MAX_CHARS_PER_TOKEN


def validate(
    body: PromptBody,
    *,
    limits: Limits,
    tokenizer: Tokenizer,
    template: PromptTemplate | None = None,
    client: str = "",
    num_logprobs: int | None = None,
) -> ValidRequest:
    """Returns the request that the scheduler may take, or raises `InvalidRequest`. template: the model's own."""
    max_new_tokens = limits.default_new_tokens if body.max_new_tokens is None else body.max_new_tokens
    if max_new_tokens > limits.max_new_tokens:
        raise InvalidRequest(
            f"max_new_tokens must be at most {limits.max_new_tokens}, got {max_new_tokens}", param="max_new_tokens"
        )
    if num_logprobs is not None and num_logprobs > MAX_LOGPROBS:
        raise InvalidRequest(f"logprobs must be at most {MAX_LOGPROBS}, got {num_logprobs}", param="logprobs")
    request = ValidRequest(
        prompt_ids=_given_ids(body, limits, tokenizer)
        if isinstance(body, TokensBody)
        else _prompt_ids(body, limits, tokenizer, template),
        max_new_tokens=max_new_tokens,
        sampling=_sampling(body),
        repetition_penalty=body.repetition_penalty,
        stop=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop),
        client=client,
        num_logprobs=num_logprobs,
        beams=_beams(body, limits),
    )
    if request.beams is not None:
        _check_beams(request, limits)
    return request


def _beams(body: PromptBody, limits: Limits) -> Beams | None:
    asked = {"num_beams": body.num_beams, "length_penalty": body.length_penalty, "early_stopping": body.early_stopping}
    wanted = {name: value for name, value in asked.items() if value != Parameters.model_fields[name].default}
    if not wanted:
        return None
    name = next(iter(wanted))
    if "num_beams" not in wanted:
        raise InvalidRequest(f"{name} is of beam search, got num_beams 1; send more beams, or leave it out", param=name)
    if body.num_beams > limits.max_beams:
        raise InvalidRequest(
            f"num_beams must be at most {limits.max_beams} (MAX_BEAMS, MAX_BATCH_SIZE and the memory allow no more), "
            f"got {body.num_beams}",
            param="num_beams",
        )
    return Beams(body.num_beams, body.length_penalty, body.early_stopping)


def _check_beams(request: ValidRequest, limits: Limits) -> None:
    """Refuses what cannot be had together with beams."""
    if request.sampling is not None:
        raise InvalidRequest(
            f"num_beams is {request.num_rows} and sampling is asked for (do_sample, or temperature, top_k or top_p); "
            "a beam search draws nothing: leave those out, or num_beams",
            param="num_beams",
        )
    if request.num_logprobs is not None:
        raise InvalidRequest(
            f"num_beams is {request.num_rows} and logprobs are asked for; they are told without beams alone",
            param="num_beams",
        )
    if request.num_tokens > limits.max_held_tokens:
        raise InvalidRequest(
            f"num_beams is {request.num_rows}: so many times {len(request.prompt_ids)} prompt tokens and "
            f"{request.max_new_tokens} new ones are {request.num_tokens}, at most {limits.max_held_tokens} fit the "
            "batch; ask for fewer beams, a smaller max_new_tokens, or send a shorter prompt",
            param="num_beams",
        )


def require_fit(requests: Sequence[ValidRequest], limits: Limits) -> None:
    """Refuses what could never wait together, however empty the queue. Raises `InvalidRequest`."""
    num_tokens = sum(request.num_tokens for request in requests)
    if num_tokens > limits.max_request_tokens:
        raise InvalidRequest(
            f"{len(requests)} predictions of this request come to hold {num_tokens} tokens, each beam its own; at most "
            f"{limits.max_request_tokens} may wait; ask for fewer at once, fewer beams or a smaller max_new_tokens"
        )


def _given_ids(body: TokensBody, limits: Limits, tokenizer: Tokenizer) -> tuple[int, ...]:
    largest = max(body.prompt_ids)
    if largest >= tokenizer.num_tokens:
        raise InvalidRequest(f"token ids must be below {tokenizer.num_tokens}, the model's vocabulary, got {largest}")
    return _fitting(body.prompt_ids, limits, truncate=body.truncate)


def _prompt_ids(
    body: GenerateBody, limits: Limits, tokenizer: Tokenizer, template: PromptTemplate | None
) -> tuple[int, ...]:
    prompt = body.prompt
    if len(prompt) > limits.max_chars:
        if not body.truncate:
            raise InvalidRequest(
                f"the prompt has {len(prompt)} characters; at most {limits.max_input_tokens} tokens "
                f"(and {limits.max_chars} characters) are allowed; shorten it, or send truncate: true"
            )
        prompt = prompt[: limits.max_chars]
    if template is not None and body.apply_template:
        prompt = template.applied(prompt)
    return _fitting(tokenizer.encode(prompt), limits, truncate=body.truncate)


def _fitting(ids: list[int], limits: Limits, *, truncate: bool) -> tuple[int, ...]:
    if len(ids) > limits.max_input_tokens:
        if not truncate:
            raise InvalidRequest(
                f"the prompt has {len(ids)} tokens; at most {limits.max_input_tokens} are allowed; "
                "shorten it, or send truncate: true"
            )
        # the encoder was trained to see the end token last
        ids = [*ids[: limits.max_input_tokens - 1], ids[-1]]
    return tuple(ids)


def _sampling(body: PromptBody) -> Sampling | None:
    is_asked = bool(body.temperature) or (
        body.temperature is None and (body.top_k is not None or body.top_p is not None)
    )
    if not (is_asked if body.do_sample is None else body.do_sample):
        return None
    if body.temperature == 0:
        raise InvalidRequest("do_sample is true but temperature is 0; send a temperature above 0, or do_sample: false")
    return Sampling(temperature=body.temperature or 1.0, top_k=body.top_k or 0, top_p=body.top_p or 1.0, seed=body.seed)


def invalid(error: ValidationError, *, known: Sequence[str] = ()) -> InvalidRequest:
    """Makes one sentence per problem of pydantic's report. `known` are the names to offer for an unknown one."""
    problems = error.errors(include_url=False)
    sentences = list(dict.fromkeys(_sentence(problem, known) for problem in problems[:MAX_PROBLEMS]))
    if len(problems) > MAX_PROBLEMS:
        sentences.append(f"and {len(problems) - MAX_PROBLEMS} more")
    param = _path(problems[0]["loc"]) if len(problems) == 1 and problems[0]["loc"] else None
    return InvalidRequest("; ".join(sentences), param=param)


def _sentence(problem: Any, known: Sequence[str]) -> str:
    where = _path(problem["loc"])
    got = show(problem["input"])
    match problem["type"]:
        case "extra_forbidden":
            return f"{where} is not known, {_offer(str(problem['loc'][-1]), known)}"
        case "missing":
            return f"{where} is missing"
        case "model_type" | "model_attributes_type":
            return f"{where} should be an object, got {got}"
    message = (
        problem["msg"].removeprefix("Value error, ").replace("a valid integer", "an integer").replace("valid ", "")
    )
    message = message.partition(" after validation")[0]
    for subject in ("Input ", "String ", "List "):
        message = message.removeprefix(subject)
    return f"{where} {message}, got {got}"


def _offer(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[:MAX_SHOWN_CHARS], known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _path(location: tuple[int | str, ...]) -> str:
    """('instances', 1, 'top_k') -> "instances[1].top_k"; pydantic's names of union arms are left out."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part in ("str", "list", "bool") or part.startswith(("constrained-", "list[", "literal[")):
            continue
        elif part.isidentifier():
            name = part[:MAX_SHOWN_CHARS]
            text += f".{name}" if text else name
        else:
            text += f"[{show(part)}]"
    return text or "the body"


def show(value: object) -> str:
    """A value as the client would recognise it, short enough for one line."""
    if isinstance(value, Mapping):
        return f"an object with {len(value)} keys"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"
