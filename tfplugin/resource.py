"""What a resource of a provider promises, and what it is handed while it works.

A resource works on plain states (dicts by attribute name); it knows nothing of gRPC or msgpack.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tfplugin.planning import Path
from tfplugin.schema import Schema
from tfplugin.values import State


class PluginError(Exception):
    """An error for the user: a summary line and a detail. path: the attribute it is about.

    state: what is known of the resource so far. Terraform keeps it; in a create it also taints.
    """

    def __init__(self, summary: str, detail: str = "", *, path: Path = (), state: State | None = None) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.path = path
        self.state = state


@dataclass(frozen=True)
class Problem:
    """A diagnostic that does not end the call at once: a warning, or one of several errors."""

    summary: str
    detail: str = ""
    path: Path = ()
    is_warning: bool = False


class Stopped(Exception):
    """Terraform asked the provider to stop (Ctrl-C); raised inside a wait."""


@dataclass
class Context:
    """One call. stop: set when Terraform asks to stop; every wait must heed it."""

    stop: threading.Event = field(default_factory=threading.Event)
    problems: list[Problem] = field(default_factory=list)

    def warn(self, summary: str, detail: str = "", *, path: Path = ()) -> None:
        self.problems.append(Problem(summary, detail, path, is_warning=True))

    def wait(self, seconds: float) -> None:
        """Sleeps. Raises Stopped as soon as Terraform asks to stop."""
        if self.stop.wait(seconds):
            raise Stopped


class Resource(Protocol):
    """One resource type. Every method may raise PluginError."""

    type_name: str
    schema: Schema

    def validate(self, config: State) -> Sequence[Problem]:
        """Checks a configuration; values may be unknown. Returns what is wrong with it."""
        ...

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        """Refines a planned create (prior is None) or update; may call no API that changes anything."""
        ...

    def create(self, context: Context, planned: State) -> State: ...

    def read(self, context: Context, state: State) -> State | None:
        """The state as it is now; None when the resource is gone. An API that does not answer is an error."""
        ...

    def update(self, context: Context, prior: State, planned: State) -> State: ...

    def delete(self, context: Context, state: State) -> None: ...

    def import_(self, context: Context, identifier: str) -> State:
        """The state, at least its identity, of what the user named; Terraform reads it next."""
        ...


def value_at(state: Any, path: Path) -> Any:
    """The value at a path of names and indexes, None when any step is missing."""
    for step in path:
        try:
            state = state[step]
        except (KeyError, IndexError, TypeError):
            return None
    return state
