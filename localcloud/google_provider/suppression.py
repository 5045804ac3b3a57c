"""Differences that are none: another way of writing the same value.

Terraform lets a provider keep the prior value where it means what the configuration says. Knows
nothing of REST.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.google_provider.mapping import Same, below
from tfplugin.schema import Body
from tfplugin.values import State, is_known


def suppress(body: Body, same: Mapping[str, Same], prior: State, planned: State, path: str = "") -> State:
    """The planned state, with the prior value wherever the two differ in writing only. Sets stay as they are."""
    kept = dict(planned)
    for attribute in body.attributes:
        before, after = prior.get(attribute.name), planned.get(attribute.name)
        if before != after and is_known(after) and _is_same(same.get(below(path, attribute.name)), before, after):
            kept[attribute.name] = before
    for block in body.blocks:
        befores, afters = prior.get(block.name), planned.get(block.name)
        if block.nesting == "list" and isinstance(befores, list) and isinstance(afters, list):
            inner = below(path, block.name)
            pairs = zip(befores, afters, strict=False)
            kept[block.name] = [suppress(block.body, same, old, new, inner) for old, new in pairs]
            kept[block.name] += afters[len(befores) :]
    return kept


def _is_same(same: Same | None, before: Any, after: Any) -> bool:
    """Terraform insists on the configuration where one of the two is null."""
    return before is not None and after is not None and same is not None and same(before, after)
