"""The golden prediction: a question whose answer is known, asked before a deployed model gets everybody's.

Google routes a prediction by the endpoint's traffic split and tells afterwards who answered, so a new
deployed model is asked through the little traffic that it has, again and again until it was the one.
Knows the predict call; knows nothing of deployments.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from provider import duration
from provider.api import Api, JsonObject
from provider.failures.screen import advice
from tfplugin.resource import Problem, Stopped
from tfplugin.schema import STRING, Attribute, Block, Body
from tfplugin.values import State

DEFAULT_TIMEOUT = "5m"
PAUSE_S, PAUSE_AFTER_ERROR_S = 0.1, 1.0
MAX_ERRORS = 5  # an endpoint may stumble for a moment after a change; real clients must not suffer for longer
SHOWN_CHARS = 300

BLOCK = Block(
    name="golden",
    max_items=1,
    body=Body(
        description="A prediction that a new deployed model must get right before it has more than a little traffic. "
        "It is asked through the endpoint, with a trace of real traffic on the new one, until the new one answered.",
        attributes=[
            Attribute(
                name="instance",
                type=STRING,
                required=True,
                description='One instance as JSON, such as `jsonencode({ prompt = "…" })` or `jsonencode("…")`.',
            ),
            Attribute(name="parameters", type=STRING, optional=True, description="Parameters as a JSON object."),
            Attribute(
                name="expected",
                type=STRING,
                optional=True,
                description="Regular expression that must be found in the prediction (its text, or its JSON). "
                "By default any prediction is right.",
            ),
            Attribute(
                name="timeout",
                type=STRING,
                optional=True,
                description=f"How long the new one may take to give its first answer; default `{DEFAULT_TIMEOUT}`.",
            ),
        ],
    ),
)


class GoldenWrong(Exception):
    """The new deployed model answered wrongly, or not at all. The message says what came back."""


@dataclass(frozen=True)
class Golden:
    """One question and its answer. instance, parameters: parsed JSON."""

    instance: Any
    parameters: Any
    expected: str | None
    timeout_s: float

    def ask(self, api: Api, url: str, deployed_model_id: str, *, stop: threading.Event) -> str:
        """The right answer, as text, once the deployed model gave it. Raises GoldenWrong or Stopped."""
        deadline = time.monotonic() + self.timeout_s
        num_errors = 0
        while time.monotonic() < deadline:
            found = self._answer(api, url)
            if isinstance(found, str):
                num_errors += 1
                if num_errors == MAX_ERRORS:
                    raise GoldenWrong(f"The golden prediction failed {MAX_ERRORS} times, at last with {found}")
            elif str(found.get("deployedModelId")) == deployed_model_id:
                return self._checked(found)
            if stop.wait(PAUSE_AFTER_ERROR_S if isinstance(found, str) else PAUSE_S):
                raise Stopped
        raise GoldenWrong(
            f"The golden prediction was not answered within {self.timeout_s:g} s by the new one: others answered"
        )

    def _answer(self, api: Api, url: str) -> JsonObject | str:
        """A 200's body; else what went wrong. One failed answer is no verdict: it may be another model's."""
        import requests

        body = {"instances": [self.instance], **({"parameters": self.parameters} if self.parameters else {})}
        try:
            answer = api.session().post(url, json=body, timeout=min(60.0, self.timeout_s))
        except requests.RequestException as error:
            return f"{type(error).__name__}: {error}"
        if not answer.ok:
            why = advice(str(answer.status_code), answer.text)
            return f"HTTP {answer.status_code}: {answer.text[:SHOWN_CHARS]}" + (f" {why}" if why else "")
        try:
            return dict(answer.json())
        except (ValueError, TypeError):
            return f"no JSON object: {answer.text[:SHOWN_CHARS]!r}"

    def _checked(self, found: JsonObject) -> str:
        predictions = found.get("predictions")
        if not isinstance(predictions, list) or len(predictions) != 1:
            raise GoldenWrong(f"One instance was sent; {str(predictions)[:SHOWN_CHARS]} came back as predictions")
        text = predictions[0] if isinstance(predictions[0], str) else json.dumps(predictions[0], ensure_ascii=False)
        if self.expected is not None and not re.search(self.expected, text):
            raise GoldenWrong(f"Got {text[:SHOWN_CHARS]!r}; expected is what matches {self.expected!r}")
        return text


def golden_of(state: State) -> Golden | None:
    """The configured golden prediction."""
    for block in state["golden"] or ():
        return Golden(
            instance=json.loads(block["instance"]),
            parameters=json.loads(block["parameters"]) if block["parameters"] else None,
            expected=block["expected"],
            timeout_s=duration.seconds(block["timeout"] or DEFAULT_TIMEOUT),
        )
    return None


def problems(config: State) -> Sequence[Problem]:
    """What is wrong with the block."""
    blocks: Any = config["golden"]
    found: list[Problem] = []
    for index, block in enumerate(blocks if isinstance(blocks, list) else ()):
        for name in ("instance", "parameters", "expected", "timeout"):
            text = block[name]
            if not isinstance(text, str):
                continue
            try:
                _READERS[name](text)
            except (ValueError, re.error) as error:
                found.append(
                    Problem(f"golden.{name} is not allowed", _wrong(name, text, error), ("golden", index, name))
                )
    return found


def _parameters(text: str) -> None:
    if not isinstance(json.loads(text), dict):
        raise ValueError("it is JSON, but no object")


_READERS: dict[str, Any] = {
    "instance": json.loads,
    "parameters": _parameters,
    "expected": re.compile,
    "timeout": duration.seconds,
}
_ALLOWED = {
    "instance": "JSON, such as jsonencode(…) writes",
    "parameters": "a JSON object, such as jsonencode({ max_new_tokens = 8 }) writes",
    "expected": "a regular expression of Python's",
    "timeout": "a duration above zero such as 90s or 5m",
}


def _wrong(name: str, text: str, error: Exception) -> str:
    return f"Got {text[:SHOWN_CHARS]!r}; allowed is {_ALLOWED[name]} ({error})."
