"""What a provider promises: its configuration, its resource types and its data sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tfplugin.data_source import DataSource
from tfplugin.resource import Problem, Resource
from tfplugin.schema import Schema
from tfplugin.values import State


class Provider(Protocol):
    """A provider. Names of types are unique among its resources, and among its data sources."""

    schema: Schema

    def resources(self) -> Sequence[Resource]: ...

    def data_sources(self) -> Sequence[DataSource]: ...

    def validate(self, config: State) -> Sequence[Problem]: ...

    def configure(self, config: State) -> None:
        """Keeps the configuration; touches no network."""
        ...
