"""What a data source of a provider promises: it looks something up and changes nothing.

Knows nothing of gRPC or msgpack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tfplugin.resource import Context, Problem
from tfplugin.schema import Schema
from tfplugin.values import State


class DataSource(Protocol):
    """One data source type. Every method may raise PluginError."""

    type_name: str
    schema: Schema

    def validate(self, config: State) -> Sequence[Problem]:
        """Checks a configuration; values may be unknown. Returns what is wrong with it."""
        ...

    def read(self, context: Context, config: State) -> State:
        """The configuration with every computed attribute filled in.

        config: known throughout, since Terraform waits with the read until it is; defaults are in, and what is
        computed is null. What is not there is an error: a data source has no way to say `gone`.
        """
        ...
