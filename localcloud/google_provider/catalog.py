"""The extracted schemas, with what the bindings do not say laid over them.

Reads the document that `extraction.py` wrote at install time. Knows nothing of REST.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.google_provider.mapping import below
from tfplugin.schema import Attribute, Block, Body, Schema


class CatalogError(Exception):
    """The document of schemas cannot be read."""


@dataclass(frozen=True)
class Catalog:
    """The document: `provider` and `resources`."""

    document: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Catalog:
        try:
            return cls(json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise CatalogError(
                f"cannot read the provider's schemas from {path} ({error}); install the provider again: "
                "python -m localcloud.google_provider install --mirror DIR"
            ) from error

    def provider(self) -> Schema:
        return Schema(body=_body(self.document["provider"], {}, frozenset(), ""))

    def resource(self, type_name: str, *, defaults: Mapping[str, Any], replace: frozenset[str]) -> Schema:
        """The schema of one type. CatalogError when the document was written before that type was supported."""
        body = self.document["resources"].get(type_name)
        if body is None:
            raise CatalogError(
                f"the installed schemas know no {type_name}; install the provider again: "
                "python -m localcloud.google_provider install --mirror DIR"
            )
        _refuse_unknown_paths(type_name, body, {*defaults, *replace})
        return Schema(body=_body(body, defaults, replace, ""))

    def values(self, type_name: str) -> dict[str, list[str]]:
        """The allowed values of every enumeration, by path."""
        found: dict[str, list[str]] = {}
        _collect_values(self.document["resources"][type_name], "", found)
        return found


def _body(body: dict[str, Any], defaults: Mapping[str, Any], replace: frozenset[str], path: str) -> Body:
    return Body(
        attributes=[
            _attribute(name, one, defaults.get(below(path, name)), below(path, name) in replace)
            for name, one in body["attributes"].items()
        ],
        blocks=[
            Block(
                name=name,
                body=_body(one["body"], defaults, replace, below(path, name)),
                nesting=one["nesting"],
                min_items=one["min"],
                max_items=one["max"],
                replace=below(path, name) in replace,
            )
            for name, one in body["blocks"].items()
        ],
    )


def _attribute(name: str, one: dict[str, Any], default: Any, replace: bool) -> Attribute:
    flags = one["flags"]
    return Attribute(
        name=name,
        type=one["type"],
        required="r" in flags,
        optional="o" in flags,
        # Terraform lets a provider plan a value of its own only for what is computed.
        computed="c" in flags or default is not None,
        replace=replace,
        default=default,
    )


def _collect_values(body: dict[str, Any], path: str, found: dict[str, list[str]]) -> None:
    for name, one in body["attributes"].items():
        if "values" in one:
            found[below(path, name)] = one["values"]
    for name, one in body["blocks"].items():
        _collect_values(one["body"], below(path, name), found)


def _refuse_unknown_paths(type_name: str, body: dict[str, Any], paths: set[str]) -> None:
    known: set[str] = set()
    _collect_paths(body, "", known)
    unknown = sorted(paths - known)
    if unknown:
        raise CatalogError(f"the table of {type_name} names {', '.join(unknown)}, which its schema does not have")


def _collect_paths(body: dict[str, Any], path: str, known: set[str]) -> None:
    known.update(below(path, name) for name in (*body["attributes"], *body["blocks"]))
    for name, one in body["blocks"].items():
        _collect_paths(one["body"], below(path, name), known)
