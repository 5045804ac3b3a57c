"""Markdown tables of attributes and of messages."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from scripts.provider_docs.errors import Message
from tfplugin.schema import Attribute, Block

# What a number counts, by the last word of its name: units are in the names.
UNITS = {
    "percent": "percent",
    "seconds": "seconds",
    "ms": "milliseconds",
    "mb": "MB",
    "gb": "GB",
    "count": "whole",
    "port": "a port",
    "ports": "ports",
    "rate": "share from 0 to 1",
    "target": "percent, or requests",
    "threshold": "whole",
    "gain": "of the metric",
}


class NoUnit(Exception):
    """A number whose name does not say what it counts."""


def attribute_table(attributes: Sequence[Attribute]) -> str:
    rows = [
        f"| `{one.name}` | {_type(one)} | {_use(one)} | {_default(one)} | {_cell(one.description)} |"
        for one in attributes
    ]
    return "\n".join(["| name | type | | default | what it is |", "|---|---|---|---|---|", *rows, ""])


def result_table(attributes: Sequence[Attribute]) -> str:
    """Of what only the provider sets."""
    rows = [f"| `{one.name}` | {_type(one)} | {_cell(one.description)} |" for one in attributes]
    return "\n".join(["| name | type | what it is |", "|---|---|---|", *rows, ""])


def timeout_table(attributes: Sequence[Attribute]) -> str:
    rows = [f"| `{one.name}` | {_default(one)} |" for one in attributes]
    return "\n".join(["| of | default |", "|---|---|", *rows, ""])


def message_table(messages: Sequence[Message]) -> str:
    rows = [f"| {_cell(one.summary)} | {_cell(one.detail)} |" for one in messages]
    return "\n".join(["| it says | and then |", "|---|---|", *rows, ""])


def block_headline(block: Block) -> str:
    """How often it may stand there, and what it is."""
    least, most = block.min_items, 1 if block.nesting == "single" else block.max_items
    times = {(0, 0): "Any number", (0, 1): "At most one", (1, 1): "Exactly one", (1, 0): "One or more"}
    count = times.get((least, most), f"{least} to {most or 'any number'}")
    replaces = " A change of it **replaces** the resource." if block.replace else ""
    return f"{count}. {block.body.description}{replaces}".strip()


def _type(attribute: Attribute) -> str:
    unit = f" ({unit_of(attribute)})" if "number" in json.dumps(attribute.type) else ""
    return type_name(attribute.type) + unit


def type_name(type_: Any) -> str:
    """As Terraform writes it: `list(string)`."""
    if isinstance(type_, str):
        return type_
    kind, inner = type_
    if kind == "object":
        return "object(" + ", ".join(f"{name} {type_name(one)}" for name, one in inner.items()) + ")"
    return f"{kind}({type_name(inner)})"


def unit_of(attribute: Attribute) -> str:
    """Raises NoUnit."""
    try:
        return UNITS[attribute.name.rpartition("_")[2]]
    except KeyError as error:
        known = ", ".join(UNITS)
        raise NoUnit(f"number {attribute.name} tells no unit: let its name end in one of {known}") from error


def _use(attribute: Attribute) -> str:
    use = "required" if attribute.required else "optional" if attribute.optional else "computed"
    if attribute.optional and attribute.computed and attribute.default is None:
        use = "optional, else computed"
    notes = ["**replaces**"] if attribute.replace and use != "computed" else []
    notes += ["sensitive"] if attribute.sensitive else []
    return ", ".join([use, *notes])


def _default(attribute: Attribute) -> str:
    """The schema's own, or the one that its description names (what Google's or the provider's is)."""
    if attribute.default is not None:
        return f"`{json.dumps(attribute.default)}`"
    found = re.search(r"default `([^`]+)`", attribute.description)
    return f"`{found[1]}`" if found else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")
