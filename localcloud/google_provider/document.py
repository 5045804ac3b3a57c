"""Between a Terraform state and an API's JSON document, by schema and table row.

A block of at most one item is an object in JSON, names are camelCase there, and what is zero or
empty may be absent. Knows nothing of HTTP.
"""

from __future__ import annotations

from typing import Any

from localcloud.google_provider.mapping import RestMapping, below, camel
from tfplugin.planning import only_computed
from tfplugin.schema import Attribute, Block, Body
from tfplugin.values import UNKNOWN, State

Json = dict[str, Any]


def is_zero(value: Any) -> bool:
    """Whether an API may leave it out: null, false, 0, empty, or an object or list of nothing else."""
    if isinstance(value, dict):
        return all(is_zero(one) for one in value.values())
    if isinstance(value, list):
        return all(is_zero(one) for one in value)
    return value is None or value is False or value == 0 or value == ""


def to_api(mapping: RestMapping, body: Body, state: State, path: str = "") -> Json:
    """The JSON that says what the state says. Output-only, URL-only and local attributes stay out."""
    document: Json = {}
    for attribute in body.attributes:
        where, value = below(path, attribute.name), state.get(attribute.name)
        if value is not None and value is not UNKNOWN and _is_sent(mapping, attribute, where):
            document[mapping.api_name(where)] = _plain(attribute.type, value)
    for block in body.blocks:
        where, value = below(path, block.name), state.get(block.name)
        if block.nesting != "single" and value:
            bodies = [to_api(mapping, block.body, one, where) for _, one in block.bodies(value)]
            document[mapping.api_name(where)] = _in_json(mapping, block, where, bodies)
    return document


def _is_sent(mapping: RestMapping, attribute: Attribute, path: str) -> bool:
    if path in ("id", "project") or path in mapping.in_url or path in mapping.local:
        return False
    return not only_computed(attribute)


def _plain(kind: Any, value: Any) -> Any:
    if kind == "number" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _in_json(mapping: RestMapping, block: Block, path: str, bodies: list[Json]) -> Any:
    if path in mapping.keyed:
        return {one[mapping.api_name(below(path, mapping.keyed[path]))]: one for one in bodies}
    return bodies[0] if block.max_items == 1 and path not in mapping.arrays else bodies


def from_api(mapping: RestMapping, body: Body, document: Json, prior: State, path: str = "") -> State:
    """The state that the document shows. prior: what Terraform knew, for what no API tells."""
    state: State = {}
    for attribute in body.attributes:
        where, before = below(path, attribute.name), prior.get(attribute.name)
        if where in ("id", "project") or where in mapping.in_url or where in mapping.local:
            state[attribute.name] = before
        else:
            raw = document.get(mapping.api_name(where))
            state[attribute.name] = _attribute_from(mapping, attribute, where, raw, before)
    for block in body.blocks:
        where, before = below(path, block.name), prior.get(block.name)
        if block.nesting == "single":
            state[block.name] = before  # timeouts: Terraform's own
        else:
            raw = document.get(mapping.api_name(where))
            state[block.name] = _block_from(mapping, block, where, raw, before or [])
    return state


def _attribute_from(mapping: RestMapping, attribute: Attribute, path: str, raw: Any, before: Any) -> Any:
    if only_computed(attribute):
        return _typed(attribute.type, raw)
    value = None if raw is None else _typed(attribute.type, raw)
    if value is None or (is_zero(value) and is_zero(before)):
        # Absent and zero are one to an API: what Terraform wrote stays as it wrote it.
        keeps = is_zero(before) or (value is None and before == attribute.default)
        return before if keeps else None
    same = mapping.same.get(path)
    return before if before is not None and same is not None and same(before, value) else value


def _typed(kind: Any, raw: Any) -> Any:
    """A JSON value as cty's type wants it: int64 strings as numbers, a single object as a list of one."""
    if isinstance(kind, list):
        return _typed_collection(kind, raw)
    if raw is None:
        return None
    if kind == "number" and isinstance(raw, str):
        return int(raw)
    if kind == "string" and not isinstance(raw, str):
        return str(raw)
    return raw


def _typed_collection(kind: list[Any], raw: Any) -> Any:
    if kind[0] == "map":
        return {key: _typed(kind[1], value) for key, value in (raw or {}).items()}
    if kind[0] == "object":
        return {name: _typed(one, (raw or {}).get(camel(name))) for name, one in kind[1].items()}
    items = raw if isinstance(raw, list) else [] if raw is None else [raw]
    return [_typed(kind[1], one) for one in items]


def _block_from(mapping: RestMapping, block: Block, path: str, raw: Any, before: list[State]) -> list[State]:
    items = _items(mapping, path, raw)
    if path in mapping.computed_blocks and not before:
        return []
    if block.max_items == 1:
        items = items[:1]
        if not items and before and is_zero(before):
            return before
        if items and not before and is_zero(items):
            return []
    if block.nesting == "set":
        return [_best(mapping, block, path, one, before) for one in items]
    priors = [*before, *({} for _ in items)]
    return [from_api(mapping, block.body, one, prior, path) for one, prior in zip(items, priors, strict=False)]


def _items(mapping: RestMapping, path: str, raw: Any) -> list[Json]:
    if raw is None:
        return []
    if path in mapping.keyed:
        return [{mapping.api_name(below(path, mapping.keyed[path])): key, **one} for key, one in raw.items()]
    return raw if isinstance(raw, list) else [raw]


def _best(mapping: RestMapping, block: Block, path: str, item: Json, before: list[State]) -> State:
    """One item of a set, read in the light of the prior item that it equals, if one does."""
    for prior in before:
        if from_api(mapping, block.body, item, prior, path) == prior:
            return prior
    return from_api(mapping, block.body, item, {}, path)


def settle(body: Body, planned: State, observed: State) -> State:
    """The planned state, its unknowns filled from what was observed. Terraform holds us to what was planned."""
    settled: State = {}
    for attribute in body.attributes:
        value = planned.get(attribute.name)
        settled[attribute.name] = observed.get(attribute.name) if value is UNKNOWN else value
    for block in body.blocks:
        settled[block.name] = _settle_block(block, planned.get(block.name), observed.get(block.name))
    return settled


def _settle_block(block: Block, planned: Any, observed: Any) -> Any:
    if isinstance(planned, dict):
        return settle(block.body, planned, observed if isinstance(observed, dict) else {})
    if not isinstance(planned, list):
        return block.empty()
    seen = observed if isinstance(observed, list) else []
    return [settle(block.body, one, _partner(block, one, index, seen)) for index, one in enumerate(planned)]


def _partner(block: Block, planned: State, index: int, seen: list[State]) -> State:
    if block.nesting != "set":
        return seen[index] if index < len(seen) else {}
    known = {name: value for name, value in planned.items() if isinstance(value, str) and value}
    for one in seen:
        if all(one.get(name) == value for name, value in known.items()):
            return one
    return {}
