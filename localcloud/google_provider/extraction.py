"""Schemas of the supported resources, out of the bindings, as one compact JSON document.

Runs at install time; a serving provider only reads the document (`catalog.py`). Knows how the
bindings' facts become Terraform's types; knows nothing of defaults or of what forces a new resource,
which the bindings do not say (`resources/`).
"""

from __future__ import annotations

import json
import re
from typing import Any

from localcloud.google_provider import bindings
from localcloud.google_provider.typescript import Member, Module, parse

PROVIDER_VERSION = "6.50.0"
_VALUES = re.compile(r'Possible values: (\[".*?"\])', re.S)
Body = dict[str, Any]


def extract(type_names: list[str]) -> dict[str, Any]:
    """The document: `version`, `provider` and `resources`, each body with `attributes` and `blocks`."""
    modules = {type_name: type_name.removeprefix("google_").replace("_", "-") for type_name in type_names}
    texts = bindings.sources(["provider", *modules.values()])
    for module, text in texts.items():
        if f"providers/hashicorp/google/{PROVIDER_VERSION}/docs" not in text:
            raise bindings.BindingsError(
                f"the bindings' module {module} was not generated from hashicorp/google {PROVIDER_VERSION}, "
                "which is the version this provider stands in for"
            )
    return {
        "version": PROVIDER_VERSION,
        "provider": _provider(parse(texts["provider"])),
        "resources": {name: _root(parse(texts[module])) for name, module in modules.items()},
    }


def _root(module: Module) -> Body:
    return _body(module, module.structs[module.root])


def _provider(module: Module) -> Body:
    """The provider's own block; `alias` is Terraform's, not the provider's, and its blocks hold one item."""
    body = _body(module, [one for one in module.structs[module.root] if one.name != "alias"])
    for block in body["blocks"].values():
        block["max"] = 1
    return body


def _body(module: Module, members: list[Member]) -> Body:
    return {
        "attributes": {one.name: _attribute(module, one) for one in members if not one.is_block},
        "blocks": {one.name: _block(module, one) for one in members if one.is_block},
    }


def _attribute(module: Module, member: Member) -> dict[str, Any]:
    """Its type, its flags (r, o, c) and, for an enumeration, its values."""
    flags = ("r" if member.required else "") + ("o" if member.optional else "") + ("c" if member.computed else "")
    attribute: dict[str, Any] = {"type": _type(module, member), "flags": flags}
    values = _VALUES.search(member.description)
    if values and member.collection == "simple":
        attribute["values"] = json.loads(values.group(1))
    return attribute


def _type(module: Module, member: Member) -> Any:
    element = _object(module, member.struct) if member.struct else member.element.replace("boolean", "bool")
    return element if member.collection == "simple" else [member.collection, element]


def _object(module: Module, struct: str) -> Any:
    return ["object", {one.name: _type(module, one) for one in module.structs[struct]}]


def _block(module: Module, member: Member) -> dict[str, Any]:
    single = member.collection == "struct"
    return {
        "nesting": "single" if single else member.collection,
        "min": 1 if member.required and not single else 0,
        "max": 1 if member.is_single and not single else 0,
        "body": _body(module, module.structs[member.struct]),
    }
