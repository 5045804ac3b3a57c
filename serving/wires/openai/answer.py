"""OpenAI's answers: whole, and as a stream's chunks. Translates; knows no HTTP.

Two kinds, completions and chats, which differ in what a choice holds. Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.errors import ServingError
from serving.exchange.stream import DONE, data
from serving.sequence import Completion, Delta, TokenLogprob

REASONS = {"eos": "stop", "stop": "stop", "length": "length"}
TYPES = {400: "invalid_request_error", 429: "rate_limit_exceeded"}
CODES = {"not_found": "model_not_found", "unauthorized": "invalid_api_key", "quota_exceeded": "rate_limit_exceeded"}
# what this protocol calls things in a refusal of the server
NAMES = {"max_new_tokens": "max_tokens", "num_beams": "best_of"}


def refusal(error: ServingError) -> tuple[int, dict[str, Any]]:
    status = 400 if error.status == 422 else error.status
    message, param = error.message, error.param
    for ours, theirs in NAMES.items():
        message = message.replace(ours, theirs)
        param = theirs if param == ours else param
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    code = CODES.get(error.reason, error.reason)
    return status, {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True)
class Kind:
    """Which of the two an answer is, and the words that go with it. n: answers to each prompt."""

    model: str
    n: int
    is_chat: bool
    has_logprobs: bool
    prompts: Sequence[str] = ()  # what answers begin with, where `echo` asks for it
    id_: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def head(self, *, is_chunk: bool) -> dict[str, Any]:
        if self.is_chat:
            name = "chat.completion.chunk" if is_chunk else "chat.completion"
            return {"id": f"chatcmpl-{self.id_}", "object": name, "created": self.created, "model": self.model}
        return {"id": f"cmpl-{self.id_}", "object": "text_completion", "created": self.created, "model": self.model}

    def echo(self, index: int) -> str:
        return self.prompts[index // self.n] if self.prompts else ""

    def logprobs(self, tokens: Sequence[TokenLogprob], *, offset: int = 0) -> dict[str, Any] | None:
        if not self.has_logprobs:
            return None
        return _chat_logprobs(tokens) if self.is_chat else _completion_logprobs(tokens, offset)

    def answer(self, completions: Sequence[Completion]) -> dict[str, Any]:
        """The whole body; choices are numbered through, those of the first prompt first."""
        choices = []
        for index, completion in enumerate(completions):
            content: dict[str, Any] = {"text": self.echo(index) + completion.text}
            if self.is_chat:
                content = {"message": {"role": "assistant", "content": completion.text, "refusal": None}}
            choices.append(
                {
                    "index": index,
                    **content,
                    "logprobs": self.logprobs(_told(completion)),
                    "finish_reason": REASONS[completion.finish_reason],
                }
            )
        num_read = sum(completion.num_prompt_tokens for completion in completions[:: self.n])
        num_made = sum(completion.num_tokens for completion in completions)
        return {**self.head(is_chunk=False), "choices": choices, "usage": _usage(num_read, num_made)}


class Chunks:
    """Tells a generation in chunks. `num_prompt_tokens`: of each sequence."""

    def __init__(self, kind: Kind, *, num_prompt_tokens: Sequence[int], includes_usage: bool) -> None:
        self._kind = kind
        self._num_prompt_tokens = num_prompt_tokens
        self._includes_usage = includes_usage
        self._num_made = 0
        self._num_told = [0] * len(num_prompt_tokens)
        self._offsets = [0] * len(num_prompt_tokens)

    def begin(self) -> str:
        first: list[str] = []
        for index in range(len(self._num_prompt_tokens)):
            if self._kind.is_chat:
                first.append(self._chunk(index, {"delta": {"role": "assistant", "content": ""}}))
            elif echo := self._kind.echo(index):
                first.append(self._chunk(index, {"text": echo}))
        return "".join(first)

    def event(self, index: int, event: Delta | Completion) -> str:
        if isinstance(event, Delta):
            return self._chunk(index, self._content(event.text), tokens=event.logprobs)
        self._num_made += event.num_tokens
        rest = _told(event)[self._num_told[index] :]
        content: dict[str, Any] = {"delta": {}} if self._kind.is_chat else {"text": ""}
        return self._chunk(index, content, tokens=rest, reason=REASONS[event.finish_reason])

    def failure(self, error: ServingError) -> str:
        return data(refusal(error)[1])

    def end(self) -> str:
        if not self._includes_usage:
            return DONE
        usage = _usage(sum(self._num_prompt_tokens[:: self._kind.n]), self._num_made)
        return data({**self._kind.head(is_chunk=True), "choices": [], "usage": usage}) + DONE

    def _content(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text}} if self._kind.is_chat else {"text": text}

    def _chunk(
        self, index: int, content: dict[str, Any], *, tokens: Sequence[TokenLogprob] = (), reason: str | None = None
    ) -> str:
        logprobs = self._kind.logprobs(tokens, offset=self._offsets[index]) if tokens else None
        self._num_told[index] += len(tokens)
        self._offsets[index] += sum(len(token.token) for token in tokens)
        choice = {"index": index, **content, "logprobs": logprobs, "finish_reason": reason}
        usage = {"usage": None} if self._includes_usage else {}
        return data({**self._kind.head(is_chunk=True), "choices": [choice], **usage})


def _usage(num_read: int, num_made: int) -> dict[str, int]:
    return {"prompt_tokens": num_read, "completion_tokens": num_made, "total_tokens": num_read + num_made}


def _told(completion: Completion) -> tuple[TokenLogprob, ...]:
    """The tokens of the text: not its end token."""
    return completion.logprobs[:-1] if completion.finish_reason == "eos" else completion.logprobs


def _completion_logprobs(tokens: Sequence[TokenLogprob], offset: int) -> dict[str, Any]:
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.token)
    return {
        "tokens": [token.token for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [dict(token.top) for token in tokens],
        "text_offset": offsets,
    }


def _chat_logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
    def told(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode())}

    content = [{**told(one.token, one.logprob), "top_logprobs": [told(*top) for top in one.top]} for one in tokens]
    return {"content": content, "refusal": None}
