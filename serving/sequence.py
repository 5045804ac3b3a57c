"""One request on its way from prompt to answer. Knows no scheduler, no tensors, no HTTP.

A sequence ends exactly once, in a `Completion` or a `ServingError`, and tells its listener. Who may end it:
whoever takes it out of the waiting line, and after that the engine's thread alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from serving.errors import DeadlineExceeded, ServingError
from serving.request import ValidRequest
from serving.telemetry.timeline import Timeline
from serving.text import TextStream, Tokenizer

FinishReason = Literal["eos", "length", "stop"]


LEAST_LOGPROB = -9999.0  # JSON has no word for what is impossible


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Log probabilities at one step, of the model's own distribution: of the token taken, and the likeliest ones."""

    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One generated token as a client reads it, with its log probability and the likeliest tokens of its step."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text that has become certain, and the tokens since the last one where their logprobs are wanted."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """The whole answer. `num_tokens` counts generated tokens, the end token included.

    logprobs: one for each of `token_ids`, where they were asked for.
    """

    text: str
    num_tokens: int
    finish_reason: FinishReason
    num_prompt_tokens: int = 0
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


Event = Delta | Completion | ServingError
Listener = Callable[[Event], None]


class Sequence:
    """Tokens so far, and the rules for when to stop."""

    def __init__(
        self,
        id_: int,
        request: ValidRequest,
        *,
        tokenizer: Tokenizer,
        deadline: float,
        listener: Listener,
        is_streaming: bool = False,
        arrived: float = 0.0,
    ) -> None:
        self.id = id_
        self.request = request
        self.deadline = deadline
        self.timeline = Timeline(arrived)
        self.output_ids: list[int] = []
        self.num_steps = 0  # that it has been through, whether or not they brought a token
        self.outcome: Completion | ServingError | None = None
        self._cancelled: ServingError | None = None
        self._listener = listener
        self.is_streaming = is_streaming
        self._tokenizer = tokenizer
        self._stream = TextStream(tokenizer, stop=request.stop)
        self._logprobs: list[TokenLogprob] = []
        self._num_told = 0

    def __repr__(self) -> str:
        return f"Sequence({self.id}, {len(self.request.prompt_ids)}+{len(self.output_ids)} tokens)"

    @property
    def is_ended(self) -> bool:
        return self.outcome is not None

    def cancel(self, error: ServingError) -> None:
        """Asks the engine's thread to end this sequence at its next token. Safe from any thread."""
        self._cancelled = error

    def go_on(self, now: float) -> bool:
        """Ends the sequence where it was cancelled or its time is over; returns whether it goes on.

        `accept` does so itself. Alone, it is for steps that bring no token yet, as those of a beam search.
        """
        self.num_steps += 1
        if self._cancelled is not None:
            return self.end(self._cancelled)
        if now >= self.deadline:
            return self.end(late(len(self.output_ids)))
        return True

    def accept(self, token_id: int, *, is_eos: bool, now: float, likelihood: Likelihood | None = None) -> bool:
        """Takes the next token; returns whether the sequence goes on."""
        if not self.go_on(now):
            return False
        self.output_ids.append(token_id)
        self.timeline.tokens.append(now)
        if likelihood is not None:
            self._logprobs.append(self._readable(token_id, likelihood))
        is_full = len(self.output_ids) >= self.request.max_new_tokens
        is_last = is_eos or is_full
        if is_last or self.is_streaming or self.request.stop:
            delta = self._stream.push(self.output_ids, is_last=is_last)
            if delta and self.is_streaming:
                self._listener(Delta(delta, self._untold()))
        if self._stream.is_stopped:
            return self.end(self._completion("stop"))
        if is_last:
            return self.end(self._completion("eos" if is_eos else "length"))
        return True

    def end(self, outcome: Completion | ServingError) -> bool:
        """Ends the sequence, unless it has ended before. Returns False: it does not go on."""
        if self.outcome is None:
            self.outcome = outcome
            self._listener(outcome)
        return False

    def _completion(self, reason: FinishReason) -> Completion:
        return Completion(
            self._stream.text,
            len(self.output_ids),
            reason,
            num_prompt_tokens=len(self.request.prompt_ids),
            token_ids=tuple(self.output_ids),
            logprobs=tuple(self._logprobs),
        )

    def _readable(self, token_id: int, likelihood: Likelihood) -> TokenLogprob:
        piece = self._tokenizer.piece
        top = tuple((piece(id_), logprob) for id_, logprob in likelihood.top)
        return TokenLogprob(piece(token_id), likelihood.logprob, top)

    def _untold(self) -> tuple[TokenLogprob, ...]:
        told, self._num_told = self._num_told, len(self._logprobs)
        return tuple(self._logprobs[told:])


def late(num_tokens: int) -> ServingError:
    """The error of a sequence whose time is over."""
    return DeadlineExceeded(
        f"the deadline passed after {num_tokens} generated tokens; ask for fewer (max_new_tokens), or try again later"
    )
