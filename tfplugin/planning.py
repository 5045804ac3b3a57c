"""What a plan says of a resource, from its schema alone: unknowns, defaults, and what needs a new one.

Knows nothing of any API; a resource refines the result in its own `plan`.
"""

from __future__ import annotations

from typing import Any

from tfplugin.schema import Attribute, Block, Body
from tfplugin.values import UNKNOWN, State

Path = tuple[str | int, ...]


def planned_create(body: Body, proposed: State) -> State:
    """The proposed state with defaults filled in, and `UNKNOWN` for what only the API can tell."""
    planned = dict(proposed)
    for attribute in body.attributes:
        if planned.get(attribute.name) is None and attribute.computed:
            planned[attribute.name] = UNKNOWN if attribute.default is None else attribute.default
    for block in body.blocks:
        value = planned.get(block.name)
        if isinstance(value, dict):
            planned[block.name] = planned_create(block.body, value)
        elif isinstance(value, list):
            planned[block.name] = [planned_create(block.body, one) if isinstance(one, dict) else one for one in value]
    return planned


def planned_update(body: Body, proposed: State, prior: State, config: State) -> State:
    """The proposed state with defaults for what the configuration no longer sets.

    Terraform proposes the prior value for a computed attribute that is not configured; that is
    right unless a default says otherwise. A block that was not there before is planned as created.
    """
    planned = dict(proposed)
    for attribute in body.attributes:
        if attribute.default is not None and config.get(attribute.name) is None:
            planned[attribute.name] = attribute.default
    for block in body.blocks:
        planned[block.name] = _planned_block(block, planned.get(block.name), prior.get(block.name), config)
    return planned


def _planned_block(block: Block, value: Any, prior: Any, config: State) -> Any:
    if block.nesting == "set" or not isinstance(value, dict | list):
        return value
    olds, configured = dict(block.bodies(prior)), dict(block.bodies(config.get(block.name)))
    bodies = {
        index: planned_update(block.body, one, olds[index], configured.get(index, {}))
        if index in olds
        else planned_create(block.body, one)
        for index, one in block.bodies(value)
    }
    return bodies[None] if isinstance(value, dict) else list(bodies.values())


def replacing_paths(body: Body, prior: State, planned: State, *, whole: bool = False) -> list[Path]:
    """Paths of changed attributes, at any depth, whose change needs a new resource.

    whole: every attribute counts, not only those marked `replace`. A required attribute that was null comes from
    an import that could not tell it: to learn it is no change. Neither is false, zero or empty for null.
    """
    found: list[Path] = [
        (attribute.name,)
        for attribute in body.attributes
        if (attribute.replace or (whole and not only_computed(attribute)))
        and _differ(prior.get(attribute.name), planned.get(attribute.name))
        and not (attribute.required and prior.get(attribute.name) is None)
    ]
    for block in body.blocks:
        inner = _replacing_in_block(block, prior.get(block.name), planned.get(block.name), whole or block.replace)
        found += [(block.name, *path) for path in inner]
    return found


def _differ(before: Any, after: Any) -> bool:
    return bool(before != after) and not (_is_empty(before) and _is_empty(after))


def _is_empty(value: Any) -> bool:
    return value is not UNKNOWN and not value


def _replacing_in_block(block: Block, before: Any, after: Any, whole: bool) -> list[Path]:
    olds, news = dict(block.bodies(before)), dict(block.bodies(after))
    if block.nesting == "set" or olds.keys() != news.keys():
        changed = before != after and (whole or any(attribute.replace for attribute in block.body.attributes))
        return [()] if changed else []
    found: list[Path] = []
    for index, old in olds.items():
        paths = replacing_paths(block.body, old, news[index], whole=whole)
        found += paths if index is None else [(index, *path) for path in paths]
    return found


def only_computed(attribute: Attribute) -> bool:
    """Whether nobody can configure it."""
    return attribute.computed and not attribute.optional
