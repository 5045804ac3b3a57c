"""What a client may ask for, before and after it is trusted. Knows no wire, no tokenizer, no tensors.

`GenerateBody` is what every wire translates to; `validation.validate` alone makes a `ValidRequest` of it,
and the scheduler takes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MAX_STOPS = 4
MAX_NAMES = 24
MAX_STOP_CHARS = 100
MAX_LOGPROBS = 20


def _whole(value: object) -> object:
    """64.0 is 64: on its way through Vertex AI's protobuf every number becomes a double."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def refuse_many_names(value: object) -> None:
    """Each unknown name is a sentence in the answer: a hundred thousand of them are not looked at."""
    if isinstance(value, dict) and len(value) > MAX_NAMES:
        raise ValueError(f"should have at most {MAX_NAMES} names")


Whole = Annotated[int, BeforeValidator(_whole)]
Stop = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARS)]
# transformers' own word: stop at num_beams finished answers, by a guess, or only when nothing better can come
EarlyStopping = bool | Literal["never"]
# transformers marks what has not finished with a score of -1e9; beyond these, a real score could come near it
LEAST_LENGTH_PENALTY, MOST_LENGTH_PENALTY = -1.0, 5.0


class Parameters(BaseModel):
    """How to generate. Every default is greedy decoding: the same prompt gives the same answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: object) -> object:
        refuse_many_names(value)
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    max_new_tokens: Whole | None = Field(
        default=None, ge=1, description="most tokens to generate; the server's DEFAULT_NEW_TOKENS when absent"
    )
    do_sample: bool | None = Field(
        default=None,
        description="true draws each token at random, false takes the likeliest. When absent, naming temperature "
        "(above 0), top_k or top_p turns sampling on",
    )
    temperature: float | None = Field(
        default=None,
        ge=0,
        le=5,
        description="flattens (above 1) or sharpens (below 1) the distribution; 0 is greedy; default 1",
    )
    top_k: Whole | None = Field(
        default=None, ge=0, le=1000, description="draw from the k likeliest tokens; 0 or absent: from all"
    )
    top_p: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="draw from the likeliest tokens that reach this probability; default 1",
    )
    repetition_penalty: float = Field(
        default=1.0, gt=0, le=10, description="above 1 makes tokens already generated less likely; 1 is off"
    )
    num_beams: Whole = Field(
        default=1,
        ge=1,
        description="answers that are followed side by side, of which the likeliest is told; 1 is no beam search. "
        "Up to the server's MAX_BEAMS, without sampling, for models that are no T5",
    )
    length_penalty: float = Field(
        default=1.0,
        ge=LEAST_LENGTH_PENALTY,
        le=MOST_LENGTH_PENALTY,
        description="of a beam search: the power of its length that an answer's score is divided by; above 0 prefers "
        "long answers",
    )
    early_stopping: EarlyStopping = Field(
        default=False,
        description="of a beam search: true ends it at num_beams finished answers, false when better ones are "
        'unlikely, "never" when there can be none',
    )
    num_return_sequences: Whole = Field(default=1, ge=1, le=1, description="one answer to each prompt, the best")
    seed: Whole | None = Field(
        default=None, ge=0, le=2**63 - 1, description="the same seed, prompt and parameters give the same draw"
    )
    stop: Stop | Annotated[list[Stop], Field(max_length=MAX_STOPS)] = Field(
        default_factory=list, description="text that ends the answer, and is not part of it"
    )
    truncate: bool = Field(
        default=False, description="cut the end of a prompt that is too long, instead of refusing it"
    )
    apply_template: bool = Field(
        default=True,
        description="put the prompt into the model's own template (`prompt_template` of its config.json, shown by "
        "/health), where it has one and the prompt is not in it yet; false sends the prompt as it is",
    )


class GenerateBody(Parameters):
    """One prompt with its parameters, as a client sent it; types are checked, limits of the server are not."""

    prompt: str = Field(min_length=1, description="the text that the model reads")


class TokensBody(Parameters):
    """A prompt that its client has made into token ids, end token included where the model wants one."""

    prompt_ids: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, description="token ids as the model reads them")


PromptBody = GenerateBody | TokensBody


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one sequence's next token is drawn. `temperature` is above 0; `top_k` 0 and `top_p` 1 are off."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Beams:
    """How one sequence's beams are searched, as in `transformers`; `num` is above 1."""

    num: int
    length_penalty: float = 1.0
    early_stopping: EarlyStopping = False


@dataclass(frozen=True, slots=True)
class ValidRequest:
    """A request that fits the server: made by `validation.validate` alone.

    prompt_ids: token ids as the encoder reads them, end token included. sampling: None means greedy.
    beams: None means one; never together with sampling or log probabilities.
    client: who asks, where clients are told apart; the waiting line is fair between them.
    num_logprobs: the likeliest tokens whose log probabilities are wanted at each step, besides the one taken; None
    where no log probability is.
    """

    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling | None = None
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    client: str = ""
    num_logprobs: int | None = None
    beams: Beams | None = None

    @property
    def num_rows(self) -> int:
        """Rows that it takes in a batch."""
        return 1 if self.beams is None else self.beams.num

    @property
    def num_tokens(self) -> int:
        """The most tokens that this request can hold at once. Each beam holds the prompt, and an answer of its own."""
        return (len(self.prompt_ids) + self.max_new_tokens) * self.num_rows
