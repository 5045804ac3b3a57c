"""What the reader may set about an answer, and the parameters that a prediction carries for it. Knows no page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class WrongSetting(ValueError):
    """A setting that cannot be sent; the message says what, the value got, what is allowed."""


def seed_of(text: str) -> int | None:
    """The seed that the reader wrote; None, a new draw each time, when there is none."""
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise WrongSetting(f"seed must be a whole number of 0 or more, or empty for a new draw each time; got {text!r}")
    return int(text)


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """Temperature 0 is greedy: the likeliest token each time, the same answer each time.

    stop: one text per line that ends the answer.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: str = ""

    def parameters(self) -> dict[str, Any]:
        """For the request; what is off is left out, so that a simpler server is not asked for more than it knows."""
        parameters: dict[str, Any] = {"max_new_tokens": self.max_new_tokens, "temperature": self.temperature}
        if self.temperature > 0:
            # drawing is on: only now do these mean anything
            if self.top_k > 0:
                parameters["top_k"] = self.top_k
            if self.top_p < 1:
                parameters["top_p"] = self.top_p
            if self.seed is not None:
                parameters["seed"] = self.seed
        if self.repetition_penalty != 1:
            parameters["repetition_penalty"] = self.repetition_penalty
        stops = [line for line in self.stop.splitlines() if line.strip()]
        if stops:
            parameters["stop"] = stops
        return parameters
