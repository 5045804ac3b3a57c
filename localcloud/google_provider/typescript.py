"""One generated TypeScript module of the bindings, read into plain facts about its structs.

The generator is regular: a class per struct, a comment `name - computed: …` per attribute, and a
function per struct that names each attribute's kind. Knows that shape; knows nothing of Terraform's
protocol or of any one resource.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_CLASS = re.compile(r"^export class (\w+) extends cdktf\.(\w+) \{$(.*?)^\}$", re.M | re.S)
_INTERFACE = re.compile(r"^export interface (\w+)(?: extends [\w.]+)? \{$(.*?)^\}$", re.M | re.S)
_DOCUMENTED = re.compile(r"/\*\*(.*?)\*/\s+readonly \w+(\??):", re.S)
_ANCHOR = re.compile(r"\{@link \S+#(\w+) \w+#\1\}")
_MEMBER = re.compile(r"^  // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)$", re.M)
_HCL_FUNCTION = re.compile(r"^export function (\w+)ToHclTerraform\(.*?^\}$", re.M | re.S)
_HCL_ENTRY = re.compile(
    r'^ {4,6}(\w+): \{\s+value: .*?isBlock: (\w+),\s+type: "(\w+)",\s+storageClassType: "(\w+)"', re.M | re.S
)
_NESTED = re.compile(r'new (\w+?)(List|OutputReference)\(this, "\w+"(?:, (true|false))?\)')


@dataclass(frozen=True, kw_only=True)
class Member:
    """One attribute or block of a struct, as the generator describes it.

    collection, element: "simple", "list", "set", "map" or "struct", of "string", "number" or "boolean",
    or of the struct that `struct` names. is_single: at most one struct.
    """

    name: str
    computed: bool = False
    optional: bool = False
    required: bool = False
    is_block: bool = False
    collection: str = "simple"
    element: str = ""
    struct: str = ""
    is_single: bool = False
    description: str = ""


@dataclass(frozen=True)
class Module:
    """The structs of a module by name, and the name of the one that is the resource or the provider."""

    root: str
    structs: dict[str, list[Member]] = field(default_factory=dict)


def parse(source: str) -> Module:
    root, structs = "", {}
    documentation = {name: _documentation(body) for name, body in _INTERFACE.findall(source)}
    kinds = {m.group(1).lower(): _kinds(m.group(0)) for m in _HCL_FUNCTION.finditer(source)}
    for name, base, body in _CLASS.findall(source):
        if base in ("TerraformResource", "TerraformProvider"):
            root = name
            structs[name] = _members(body, _kinds(body), documentation[f"{name}Config"])
        elif base == "ComplexObject":
            struct = name.removesuffix("OutputReference")
            structs[struct] = _members(body, kinds.get(struct.lower(), {}), documentation.get(struct, {}))
    for struct in documentation.keys() - structs.keys() - {f"{root}Config"}:
        # A provider's blocks can only be written, so they have no class, only an interface.
        structs[struct] = _written_members(kinds.get(struct.lower(), {}), documentation[struct])
    return Module(root, structs)


def _documentation(interface: str) -> dict[str, tuple[str, bool]]:
    """An interface's attributes by their Terraform name: the comment, and whether it may be left out."""
    found = {}
    for comment, mark in _DOCUMENTED.findall(interface):
        anchor = _ANCHOR.search(comment) or re.search(r"docs#(\w+) ", comment)
        if anchor:
            found[anchor.group(1)] = (comment, mark == "?")
    return found


def _kinds(text: str) -> dict[str, tuple[bool, str, str]]:
    return {name: (block == "true", kind, storage) for name, block, kind, storage in _HCL_ENTRY.findall(text)}


def _members(
    body: str, kinds: dict[str, tuple[bool, str, str]], documentation: dict[str, tuple[str, bool]]
) -> list[Member]:
    marks = list(_MEMBER.finditer(body))
    members = []
    for mark, end in zip(marks, [*(m.start() for m in marks[1:]), len(body)], strict=True):
        name, computed, optional, required = mark.groups()
        code = body[mark.end() : end]
        is_block, collection, element, struct, is_single = _kind(code, kinds.get(name))
        members.append(
            Member(
                name=name,
                computed=computed == "true",
                optional=optional == "true",
                required=required == "true",
                is_block=is_block,
                collection=collection,
                element=element,
                struct=struct,
                is_single=is_single,
                description=documentation.get(name, ("", True))[0],
            )
        )
    return members


def _kind(code: str, written: tuple[bool, str, str] | None) -> tuple[bool, str, str, str, bool]:
    """is_block, collection, element, struct and is_single of one member, from its code."""
    nested = _NESTED.search(code)
    if written is None:
        return (False, *_read_kind(code, nested))
    is_block, collection, storage = written
    if is_block or storage[0].isupper():
        struct = nested.group(1) if nested else storage.removesuffix("List")
        single = nested is not None and nested.group(2) == "OutputReference"
        return is_block, collection, "", struct, single
    element = "string" if storage.startswith("string") else "number" if storage.startswith("number") else "boolean"
    return False, collection, element, "", False


def _read_kind(code: str, nested: re.Match[str] | None) -> tuple[str, str, str, bool]:
    """collection, element, struct and is_single of what can only be read."""
    if "new cdktf.StringMap(" in code:
        return "map", "string", "", False
    if nested is not None:
        return ("set" if nested.group(3) == "true" else "list"), "", nested.group(1), False
    getter = re.search(r"(tolist\()?this\.get(String|Number|Boolean|)(List|Map|)Attribute\(", code)
    if getter is None:
        raise ValueError(f"no known getter in {code.strip()!r}: the bindings' generator has changed")
    element = (getter.group(2) or "string").lower()
    collection = {"": "simple", "Map": "map", "List": "set" if getter.group(1) else "list"}[getter.group(3)]
    return collection, element, "", False


def _written_members(
    kinds: dict[str, tuple[bool, str, str]], documentation: dict[str, tuple[str, bool]]
) -> list[Member]:
    members = []
    for name, written in kinds.items():
        is_block, collection, element, struct, is_single = _kind("", written)
        comment, optional = documentation[name]
        members.append(
            Member(
                name=name,
                optional=optional,
                required=not optional,
                is_block=is_block,
                collection=collection,
                element=element,
                struct=struct,
                is_single=is_single,
                description=comment,
            )
        )
    return members
