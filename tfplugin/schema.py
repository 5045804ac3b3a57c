"""Schemas: attributes with a type, and nested blocks, as Terraform's plugin protocol has them.

A type is cty's JSON: "string", "number", "bool", ["list", T], ["set", T], ["map", T],
["object", {name: T}]. Knows nothing of values' meaning or of any API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tf.gen import tfplugin_pb2 as pb

Type = Any  # cty's JSON type: a str or a nested list
STRING, NUMBER, BOOL = "string", "number", "bool"


def list_of(element: Type) -> Type:
    return ["list", element]


def map_of(element: Type) -> Type:
    return ["map", element]


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute. Exactly one of required, or optional and/or computed.

    replace: a change of it needs a new resource. default: the planned value when the
    configuration has none; only for optional and computed attributes.
    """

    name: str
    type: Type
    description: str = ""
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False
    replace: bool = False
    default: Any = None

    def __post_init__(self) -> None:
        if self.required == (self.optional or self.computed):
            raise ValueError(f"attribute {self.name} must be required, or optional and/or computed")
        if self.default is not None and not (self.optional and self.computed):
            raise ValueError(f"attribute {self.name} has a default, so it must be optional and computed")

    def to_pb(self) -> pb.Schema.Attribute:
        return pb.Schema.Attribute(
            name=self.name,
            type=json.dumps(self.type).encode(),
            description=self.description,
            description_kind=pb.StringKind.MARKDOWN,
            required=self.required,
            optional=self.optional,
            computed=self.computed,
            sensitive=self.sensitive,
        )


@dataclass(frozen=True, kw_only=True)
class Body:
    """What a resource, a provider or a block holds: attributes and blocks."""

    attributes: Sequence[Attribute] = ()
    blocks: Sequence[Block] = ()
    description: str = ""

    def to_pb(self) -> pb.Schema.Block:
        return pb.Schema.Block(
            attributes=[attribute.to_pb() for attribute in self.attributes],
            block_types=[block.to_pb() for block in self.blocks],
            description=self.description,
            description_kind=pb.StringKind.MARKDOWN,
        )

    def empty(self) -> dict[str, Any]:
        """The value of a body in which nothing is set."""
        return {one.name: None for one in self.attributes} | {one.name: one.empty() for one in self.blocks}


_NESTING = {
    "single": pb.Schema.NestedBlock.NestingMode.SINGLE,
    "list": pb.Schema.NestedBlock.NestingMode.LIST,
    "set": pb.Schema.NestedBlock.NestingMode.SET,
}


@dataclass(frozen=True, kw_only=True)
class Block:
    """A nested block. A `list` block with max_items 1 is how Terraform's providers write an object.

    replace: any change inside needs a new resource.
    """

    name: str
    body: Body
    nesting: Literal["single", "list", "set"] = "list"
    min_items: int = 0
    max_items: int = 0
    replace: bool = False

    def to_pb(self) -> pb.Schema.NestedBlock:
        single = self.nesting == "single"  # the protocol keeps item counts for lists and sets
        return pb.Schema.NestedBlock(
            type_name=self.name,
            block=self.body.to_pb(),
            nesting=_NESTING[self.nesting],
            min_items=0 if single else self.min_items,
            max_items=0 if single else self.max_items,
        )

    def empty(self) -> Any:
        return None if self.nesting == "single" else []

    def bodies(self, value: Any) -> Iterator[tuple[int | None, dict[str, Any]]]:
        """The bodies inside a block's value, each with its index (None for a single block)."""
        if isinstance(value, dict):
            yield None, value
        elif isinstance(value, list):
            yield from ((i, one) for i, one in enumerate(value) if isinstance(one, dict))


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A resource's, data source's or provider's schema; version counts changes of its state's shape."""

    body: Body = field(default_factory=Body)
    version: int = 0

    def to_pb(self) -> pb.Schema:
        return pb.Schema(version=self.version, block=self.body.to_pb())


def timeouts(**defaults: str) -> Block:
    """The `timeouts` block: one optional duration per operation, its default in the description."""
    return Block(
        name="timeouts",
        nesting="single",
        body=Body(
            attributes=[
                Attribute(
                    name=name, type=STRING, optional=True, description=f"Duration such as `90m`; default `{text}`."
                )
                for name, text in defaults.items()
            ]
        ),
    )
