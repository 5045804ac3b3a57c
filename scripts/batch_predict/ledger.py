"""Which line of an input file has its prediction, which failed and why, and which nobody has answered yet.

Vertex AI names no lines: its files hold instances in an order of their own. So lines are told by their content, and
equal lines are as many as they are. Nothing is lost: what is in no file is still open. Knows no cloud.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


class BadInput(Exception):
    """The input cannot be sent; the message names the line."""


@dataclass
class Line:
    """One line of the input. number: from 1. prediction and error: None as long as there is none."""

    number: int
    instance: Any
    prediction: Any = None
    error: str | None = None
    is_done: bool = False


@dataclass
class Ledger:
    """The lines in their order."""

    lines: list[Line] = field(default_factory=list)

    @classmethod
    def of(cls, text: Iterable[str]) -> Ledger:
        """Raises BadInput: one line that is no JSON would end the whole job."""
        lines = []
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                lines.append(Line(number, json.loads(line)))
            except ValueError as error:
                raise BadInput(f"line {number}: no JSON value ({error}): {line.strip()[:80]!r}") from error
        if not lines:
            raise BadInput('no line: give one JSON value per line, such as {"prompt": "…"} or a text in quotes')
        return cls(lines)

    @property
    def open(self) -> list[Line]:
        """What has no prediction yet: never answered, or failed."""
        return [line for line in self.lines if not line.is_done]

    @property
    def failed(self) -> list[Line]:
        return [line for line in self.open if line.error is not None]

    def book(self, told: Iterable[Any]) -> int:
        """Takes lines of Vertex AI's output files; returns how many belonged to no open line of this input."""
        waiting: dict[str, deque[Line]] = defaultdict(deque)
        for line in self.open:
            waiting[_key(line.instance)].append(line)
        num_strangers = 0
        for one in told:
            held = waiting.get(_key(one["instance"])) if isinstance(one, dict) and "instance" in one else None
            if not held:
                num_strangers += 1
                continue
            line = held.popleft()
            if "prediction" in one:
                line.prediction, line.error, line.is_done = one["prediction"], None, True
            else:
                line.error = _words(one.get("error"))
        return num_strangers

    def results(self) -> Iterable[str]:
        """A line of JSON for each line of the input, in its order."""
        for line in self.lines:
            told = {"prediction": line.prediction} if line.is_done else {"error": line.error or "not answered"}
            yield json.dumps({"line": line.number, "instance": line.instance, **told}, ensure_ascii=False) + "\n"

    def resume(self, results: Iterable[str]) -> int:
        """Takes over the predictions of an earlier run's results; returns how many. A torn last line is left out."""
        earlier: dict[str, deque[Any]] = defaultdict(deque)
        for text in results:
            try:
                one = json.loads(text)
            except ValueError:
                continue
            if isinstance(one, dict) and "prediction" in one:
                earlier[_key(one.get("instance"))].append(one["prediction"])
        count = 0
        for line in self.open:
            if held := earlier.get(_key(line.instance)):
                line.prediction, line.is_done = held.popleft(), True
                count += 1
        return count


def _key(instance: Any) -> str:
    return json.dumps(instance, sort_keys=True)


def _words(error: Any) -> str:
    return str(error.get("message") or error) if isinstance(error, dict) else str(error)
