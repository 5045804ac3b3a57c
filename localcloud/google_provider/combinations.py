"""What Terraform's core leaves to a provider to refuse: output that is configured, enumerations, combinations.

The texts are those of Terraform's plugin SDK, which the real provider is built on. Values may be
unknown; those are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.google_provider.mapping import RestMapping, below
from tfplugin.planning import Path, only_computed
from tfplugin.resource import Problem
from tfplugin.schema import Body
from tfplugin.values import UNKNOWN, State


def wrong_values(
    body: Body, config: State, allowed: Mapping[str, list[str]], path: str = "", where: Path = ()
) -> Iterator[Problem]:
    """Enumerations with a value that is none of theirs. An empty string means: not set."""
    for attribute in body.attributes:
        values, value = allowed.get(below(path, attribute.name)), config.get(attribute.name)
        if values is not None and isinstance(value, str) and value not in ("", *values):
            dotted = ".".join(str(step) for step in (*where, attribute.name))
            shown = " ".join(f'"{one}"' for one in values)
            yield Problem(f"expected {dotted} to be one of [{shown}], got {value}", path=(*where, attribute.name))
    for block in body.blocks:
        for index, one in block.bodies(config.get(block.name)):
            if block.nesting == "list":  # a set's items have no index to point at
                inner = below(path, block.name)
                yield from wrong_values(block.body, one, allowed, inner, (*where, block.name, index or 0))


def configured_output(body: Body, config: State, where: Path = ()) -> Iterator[Problem]:
    """Attributes that only the API decides, with a value in the configuration."""
    for attribute in body.attributes:
        if only_computed(attribute) and config.get(attribute.name) is not None:
            detail = (
                f'Can\'t configure a value for "{attribute.name}": its value will be decided automatically based on '
                "the result of applying this configuration."
            )
            yield Problem("Value for unconfigurable attribute", detail, (*where, attribute.name))
    for block in body.blocks:
        for index, one in block.bodies(config.get(block.name)):
            if block.nesting == "list":
                yield from configured_output(block.body, one, (*where, block.name, index or 0))


def wrong_combinations(mapping: RestMapping, config: State) -> Iterator[Problem]:
    for names in mapping.exactly_one_of:
        present = [name for name in names if _is_set(config.get(name))]
        one_of = ",".join(sorted(names))
        if not present:
            yield Problem("Invalid combination of arguments", f'"{names[0]}": one of `{one_of}` must be specified')
        elif len(present) > 1:
            detail = (
                f'"{present[0]}": only one of `{one_of}` can be specified, but `{",".join(present)}` were specified.'
            )
            yield Problem("Invalid combination of arguments", detail, (present[0],))
    for names in mapping.at_least_one_of:
        if not any(_is_set(config.get(name)) for name in names):
            detail = f'"{names[0]}": one of `{",".join(sorted(names))}` must be specified'
            yield Problem("Missing required argument", detail)
    for name, other in mapping.conflicts:
        if _is_set(config.get(name)) and _is_set(config.get(other)):
            yield Problem("Conflicting configuration arguments", f'"{name}": conflicts with {other}', (name,))


def _is_set(value: Any) -> bool:
    return value is UNKNOWN or value not in (None, [], {})
