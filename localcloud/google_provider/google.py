"""The provider: its configuration and its resources. Knows nothing of gRPC or of any one resource."""

from __future__ import annotations

import os
from collections.abc import Sequence

from localcloud.google_provider.catalog import Catalog
from localcloud.google_provider.resources import table
from localcloud.google_provider.settings import Settings
from tfplugin.data_source import DataSource
from tfplugin.resource import Problem, Resource
from tfplugin.schema import Schema
from tfplugin.values import State


class GoogleProvider:
    """hashicorp/google, as far as this project's stacks need it, against a local Google Cloud."""

    def __init__(self, catalog: Catalog) -> None:
        self.schema: Schema = catalog.provider()
        self._settings = Settings()
        self._resources = table.resources(catalog, lambda: self._settings)

    def resources(self) -> Sequence[Resource]:
        return self._resources

    def data_sources(self) -> Sequence[DataSource]:
        return ()

    def validate(self, config: State) -> Sequence[Problem]:
        return []

    def configure(self, config: State) -> None:
        self._settings = Settings.of(config, os.environ)
