"""The bodies of OpenAI's completions and chat completions, as far as one local model can do what they ask.

What it cannot do is refused by name, not dropped; names that ask for nothing here are accepted. Knows no HTTP.
Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from serving.chat import ChatTemplate
from serving.exchange.bodies import checked
from serving.request import MAX_LOGPROBS, EarlyStopping, GenerateBody, Parameters, PromptBody, Stop, TokensBody, Whole

MAX_NAMES = 48
MAX_CHOICES = 16
MAX_PROMPT_ITEMS = 65_536  # texts, or token ids of one prompt; the server's own limits are lower
MAX_COMPLETION_LOGPROBS = 5
# Accounting and routing of OpenAI's own service: nothing to do here, and no reason to refuse a client.
IGNORED = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls")
# Wanted by some clients, done by nobody here: refused unless they ask for nothing.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "suffix": ("",),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "ignore_eos": (False,),
    "min_tokens": (0,),
}


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    include_usage: bool = False
    include_obfuscation: bool = False  # of OpenAI's own service: the lengths of these events tell nothing new


class Asked(BaseModel):
    """What completions and chats have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    model: str
    max_tokens: Whole | None = Field(default=None, ge=1, description="most tokens to generate")
    temperature: float | None = Field(
        default=None, ge=0, le=5, description="0 is greedy; absent: greedy too, or 1 where n is above 1"
    )
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: Whole | None = Field(default=None, ge=0, le=1000, description="no name of OpenAI's; as elsewhere here")
    repetition_penalty: float | None = Field(default=None, gt=0, le=10, description="as elsewhere here")
    n: int = Field(default=1, ge=1, le=MAX_CHOICES, description="answers to each prompt, each drawn by itself")
    best_of: Whole | None = Field(default=None, ge=1, description="n, or with use_beam_search the number of beams")
    use_beam_search: bool = Field(default=False, description="vLLM's: tell the best of best_of beams")
    length_penalty: float | None = Field(default=None, description="vLLM's, of a beam search; as elsewhere here")
    early_stopping: EarlyStopping | None = Field(default=None, description="vLLM's, of a beam search")
    seed: Whole | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] = Field(default_factory=list)
    stream: bool = False
    stream_options: StreamOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_what_asks_for_nothing(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        if len(value) > MAX_NAMES:
            raise ValueError(f"should have at most {MAX_NAMES} names")
        kept = {}
        for name, item in value.items():
            if item is None or name in IGNORED:
                continue
            if name in NEUTRAL:
                if not any(type(item) is type(one) and item == one for one in (*NEUTRAL[name], *_doubles(name))):
                    raise ValueError(f"should not have {name}: this server does not do that")
                continue
            kept[name] = item
        return kept

    @model_validator(mode="after")
    def _check_stream_options(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("should have stream: true where it has stream_options")
        return self

    @model_validator(mode="after")
    def _check_best_of(self) -> Self:
        if not self.use_beam_search:
            if self.best_of not in (None, self.n):
                raise ValueError(f"should have best_of equal to n ({self.n}), got {self.best_of}: every answer is told")
            return self
        if self.n > 1:
            raise ValueError(f"should have n: 1 with use_beam_search, got {self.n}: the best beam alone is told")
        if self.best_of in (None, 1):
            raise ValueError("should have a best_of above 1, the number of beams, with use_beam_search")
        return self

    @property
    def includes_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    def parameters(self, choice: int) -> dict[str, Any]:
        """Those of the server, for the answer of that number to a prompt."""
        temperature = self.temperature
        if self.n > 1 and temperature is None and self.top_p is None and self.top_k is None:
            temperature = 1.0  # n times the same greedy answer would be no use to anyone
        asked = {
            "max_new_tokens": self.max_tokens,
            "temperature": temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "repetition_penalty": self.repetition_penalty,
            "seed": None if self.seed is None else (self.seed + choice) & (2**63 - 1),
            "stop": self.stop,
            "num_beams": self.best_of if self.use_beam_search else None,
            "length_penalty": self.length_penalty,
            "early_stopping": self.early_stopping,
        }
        return {name: value for name, value in asked.items() if value is not None}


def _doubles(name: str) -> tuple[Any, ...]:
    return tuple(float(value) for value in NEUTRAL[name] if type(value) is int)


def _as_prompts(value: object) -> object:
    """A text, texts, token ids or lists of them: always a list of texts and of lists of ids."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and len(value) > MAX_PROMPT_ITEMS:
        raise ValueError(f"should have at most {MAX_PROMPT_ITEMS} items")
    is_ids = isinstance(value, list) and value and all(type(item) is int for item in value)
    if is_ids:
        return [value]
    if isinstance(value, list) and value and all(isinstance(item, str | list) for item in value):
        return value
    raise ValueError("should be a text, a list of texts, a list of token ids, or a list of those")


class CompletionRequest(Asked):
    """The body of /v1/completions."""

    prompt: Annotated[list[str | list[Annotated[int, Field(ge=0)]]], BeforeValidator(_as_prompts)]
    echo: bool = Field(default=False, description="let the answer begin with its prompt")
    logprobs: int | None = Field(
        default=None, ge=0, le=MAX_COMPLETION_LOGPROBS, description="likeliest tokens to tell at each step"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.echo and self.logprobs is not None:
            raise ValueError("should not have both echo and logprobs: prompts have no log probabilities here")
        if self.echo and not all(isinstance(prompt, str) for prompt in self.prompt):
            raise ValueError("should not have echo where a prompt is token ids")
        return self

    def bodies(self) -> list[PromptBody]:
        """n for each prompt, those of one prompt together."""
        return [_body(prompt, self.parameters(choice)) for prompt in self.prompt for choice in range(self.n)]


def _body(prompt: str | list[int], parameters: dict[str, Any]) -> PromptBody:
    known = tuple(Parameters.model_fields)
    if isinstance(prompt, str):
        return checked({"prompt": prompt, **parameters}, GenerateBody, known=known)
    return checked({"prompt_ids": prompt, **parameters}, TokensBody, known=known)


def _as_text(value: object) -> object:
    """[{"type": "text", "text": …}, …] is its texts."""
    if not isinstance(value, list):
        return "" if value is None else value
    texts = []
    for part in value:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise ValueError('should be a text, or a list of {"type": "text", "text": "…"}: this model reads text')
        texts.append(part["text"])
    return "\n".join(texts)


class Message(BaseModel):
    """One turn of a chat. `developer` is OpenAI's newer word for `system`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_as_text)] = ""
    name: str | None = None
    refusal: None = None
    tool_calls: Annotated[list[Any], Field(max_length=0)] | None = None


class ChatRequest(Asked):
    """The body of /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1, max_length=1024)
    max_completion_tokens: Whole | None = Field(default=None, ge=1, description="newer name of max_tokens")
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=MAX_LOGPROBS)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("should have logprobs: true where it has top_logprobs")
        if None not in (self.max_tokens, self.max_completion_tokens) and self.max_tokens != self.max_completion_tokens:
            raise ValueError("should not have two different numbers in max_tokens and max_completion_tokens")
        return self

    @property
    def num_logprobs(self) -> int | None:
        return (self.top_logprobs or 0) if self.logprobs else None

    def bodies(self, template: ChatTemplate) -> list[PromptBody]:
        """n of the one prompt that the template makes of the messages."""
        turns = [
            {"role": "system" if one.role == "developer" else one.role, "content": one.content} for one in self.messages
        ]
        prompt = template.prompt(turns)
        limit = {"max_new_tokens": self.max_completion_tokens} if self.max_completion_tokens is not None else {}
        return [_body(prompt, {**self.parameters(choice), **limit}) for choice in range(self.n)]
