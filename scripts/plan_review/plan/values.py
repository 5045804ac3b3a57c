"""What differs between a resource before and after, attribute by attribute, as text that may be shown.

A value that Terraform marks sensitive never becomes text here, and one that is not known yet says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scripts.plan_review.plan.plans import Change, Document

HIDDEN, UNKNOWN, NOTHING = "(sensitive)", "(known after apply)", "–"
MAX_VALUE = 120  # characters of one value
# Copies that Google's provider makes of `labels`.
_COPIES = {"terraform_labels", "effective_labels"}


@dataclass(frozen=True)
class Difference:
    """path: dotted, blocks that occur once without a number."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Masks:
    """Terraform's three masks of a value, each as the value is nested: True hides all below it."""

    unknown: Any
    hidden_old: Any
    hidden_new: Any

    def of(self, key: str) -> Masks:
        return Masks(_of(self.unknown, key), _of(self.hidden_old, key), _of(self.hidden_new, key))

    def at(self, number: int) -> Masks:
        return Masks(_at(self.unknown, number), _at(self.hidden_old, number), _at(self.hidden_new, number))

    @property
    def any(self) -> bool:
        return any(_has_mask(mask) for mask in (self.unknown, self.hidden_old, self.hidden_new))


def differences(change: Change) -> tuple[Difference, ...]:
    """What differs, sorted by path, without what only the provider sets and only the apply tells."""
    before, after = change.before or {}, change.after or {}
    masks = Masks(change.unknown, change.hidden_before, change.hidden_after)
    keys = sorted((set(before) | set(after) | set(_mask(change.unknown))) - _COPIES)
    found = (one for key in keys for one in _walk(key, before.get(key), after.get(key), masks.of(key)))
    return tuple(one for one in found if one.new != UNKNOWN or is_configured(change, one.path))


def is_configured(change: Change, path: str) -> bool:
    """Whether the stack sets this path, or the value that it is in."""
    plain = re.sub(r"\[\d+\]", "", path)
    return any(plain == one or plain.startswith(f"{one}.") for one in change.configured)


def block(values: Document | None, *path: str) -> dict[str, Any]:
    """The block at a path, whether Terraform has it as an object or as a list of one; empty when it is not there."""
    here: Any = values or {}
    for step in path:
        here = here.get(step) if isinstance(here, dict) else None
        if isinstance(here, list):
            here = here[0] if here else None
    return here if isinstance(here, dict) else {}


def _walk(path: str, old: Any, new: Any, masks: Masks) -> Iterator[Difference]:
    if masks.unknown is True or masks.hidden_old is True or masks.hidden_new is True:
        yield from _walk_masked(path, old, new, masks)
    elif isinstance(old, dict) or isinstance(new, dict):
        old, new = old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {}
        for key in sorted(set(old) | set(new) | set(_mask(masks.unknown))):
            yield from _walk(f"{path}.{key}", old.get(key), new.get(key), masks.of(key))
    elif _is_blocks(old) or _is_blocks(new):
        yield from _walk_lists(path, old or [], new or [], masks)
    elif old != new and not (_is_empty(old) and _is_empty(new)):
        yield Difference(path, told(old), told(new))


def _walk_masked(path: str, old: Any, new: Any, masks: Masks) -> Iterator[Difference]:
    after = UNKNOWN if masks.unknown is True else told(new)
    if masks.unknown is True or old != new:
        yield Difference(
            path,
            HIDDEN if masks.hidden_old is True else told(old),
            HIDDEN if masks.hidden_new is True else after,
        )


def _walk_lists(path: str, old: Any, new: Any, masks: Masks) -> Iterator[Difference]:
    """Blocks beside each other: by their name where they have one (`env.DTYPE`), else by number."""
    if _are_named(old) and _are_named(new) and not masks.any:
        olds, news = ({one["name"]: one["value"] for one in side} for side in (old, new))
        for name in sorted(set(olds) | set(news)):
            yield from _walk(f"{path}.{name}", olds.get(name), news.get(name), Masks(False, False, False))
        return
    count = max(len(old), len(new))
    for number in range(count):
        here = path if count == 1 else f"{path}[{number}]"
        yield from _walk(here, _item(old, number), _item(new, number), masks.at(number))


def told(value: Any) -> str:
    """A value as one line."""
    if _is_empty(value):
        return NOTHING
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _is_blocks(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _are_named(blocks: list[Any]) -> bool:
    """Whether they are names with values, such as environment variables."""
    return all(isinstance(one, dict) and {"name", "value"} <= set(one) for one in blocks) and len(blocks) > 0


def _has_mask(mask: Any) -> bool:
    if isinstance(mask, dict):
        return any(_has_mask(one) for one in mask.values())
    if isinstance(mask, list):
        return any(_has_mask(one) for one in mask)
    return mask is True


def _mask(mask: Any) -> dict[str, Any]:
    return mask if isinstance(mask, dict) else {}


def _of(mask: Any, key: str) -> Any:
    return True if mask is True else _mask(mask).get(key, False)


def _at(mask: Any, number: int) -> Any:
    return mask is True or (mask[number] if isinstance(mask, list) and number < len(mask) else False)


def _item(values: list[Any], number: int) -> Any:
    return values[number] if number < len(values) else None
