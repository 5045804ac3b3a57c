"""How one Terraform resource type lies on a REST collection: a table row, no code.

Paths inside a resource are dotted Terraform names without indexes: `build.step.name`.
Knows nothing of HTTP or of Terraform's protocol.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Same = Callable[[Any, Any], bool]


def same_case(old: Any, new: Any) -> bool:
    return str(old).casefold() == str(new).casefold()


def same_last_segment(old: Any, new: Any) -> bool:
    """A full resource name and its last part name the same thing."""
    return str(old).rpartition("/")[2] == str(new).rpartition("/")[2]


def same_json(old: Any, new: Any) -> bool:
    try:
        return bool(json.loads(old) == json.loads(new))
    except (TypeError, ValueError):
        return False


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def same_duration(old: Any, new: Any) -> bool:
    return _seconds(old) is not None and _seconds(old) == _seconds(new)


def _seconds(text: Any) -> float | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(text))
    return float(found.group(1)) * _SECONDS[found.group(2)] if found else None


@dataclass(frozen=True, kw_only=True)
class RestMapping:
    """One row of the table.

    noun: the resource in the real provider's error messages.
    endpoint: the provider's attribute that says where the API is.
    collection, self_link: URL paths below it, with state values in braces.
    identity: the Terraform `id`, when it is not the self link. imports: what `terraform import` takes.
    id_query: how the caller's own id is given to the create call, empty when the server chooses it.
    replace: paths whose change needs a new resource. defaults: the real provider's own ones.
    in_url: top-level attributes that are part of the URL only; local: those no API has.
    renames: API names that are not the camelCase of the path's last part.
    arrays: blocks of at most one item that the API holds as an array.
    keyed: set blocks that the API holds as a map, and the attribute that is the key.
    computed_blocks: blocks the API fills in when the configuration has none; they count only once configured.
    same: values that differ in writing but not in meaning.
    update: a PATCH with a mask of the changed fields, a PATCH of the whole, or none at all.
    """

    type_name: str
    noun: str
    endpoint: str
    collection: str
    self_link: str
    identity: str = ""
    imports: Sequence[str] = ()
    id_query: str = ""
    replace: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    in_url: frozenset[str] = frozenset()
    local: frozenset[str] = frozenset()
    renames: Mapping[str, str] = field(default_factory=dict)
    arrays: frozenset[str] = frozenset()
    keyed: Mapping[str, str] = field(default_factory=dict)
    computed_blocks: frozenset[str] = frozenset()
    same: Mapping[str, Same] = field(default_factory=dict)
    update: Literal["mask", "whole", "none"] = "none"
    has_labels: bool = False
    has_annotations: bool = False
    exactly_one_of: Sequence[Sequence[str]] = ()
    at_least_one_of: Sequence[Sequence[str]] = ()
    conflicts: Sequence[tuple[str, str]] = ()
    taint_on_failed_create: bool = False
    timeout_s: float = 20 * 60

    @property
    def id_format(self) -> str:
        return self.identity or self.self_link

    def api_name(self, path: str) -> str:
        return self.renames.get(path) or camel(path.rpartition(".")[2])


def camel(name: str) -> str:
    """`min_instance_count` -> `minInstanceCount`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def snake(name: str) -> str:
    """`minInstanceCount` -> `min_instance_count`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
