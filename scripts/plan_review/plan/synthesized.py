"""The resources of a stack that Terraform cannot plan yet, from the JSON that was synthesized.

On a first deployment a stack whose references have no values ends Terraform's plan with an error; what it declares is
known all the same. Values of other stacks are filled in where their plans know them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.plan_review.plan.plans import Action, Change, Document, Output, Reference

_REMOTE = re.compile(r"\$\{data\.terraform_remote_state\.cross-stack-reference-input-([\w-]+)\.outputs\.([\w-]+)\}")
_ANY = re.compile(r"(?<!\$)\$\{")
# Terraform's own arguments of a resource, which are no attributes of it.
_META = {"//", "provider", "depends_on", "lifecycle", "count", "for_each", "connection", "provisioner", "timeouts"}


def resources(stack: str, document: Document, outputs: Mapping[str, Mapping[str, Output]]) -> tuple[Change, ...]:
    """Every resource of a stack's `cdk.tf.json`, as something to add. outputs: by stack, of those planned before."""
    return tuple(
        _change(stack, kind, name, attributes, outputs)
        for kind, named in sorted(document.get("resource", {}).items())
        for name, attributes in sorted(named.items())
    )


def region(document: Document) -> str:
    """The region that a provider of the stack names."""
    for provider in document.get("provider", {}).values():
        for block in provider if isinstance(provider, list) else [provider]:
            if block.get("region"):
                return str(block["region"])
    return ""


def _change(
    stack: str, kind: str, name: str, attributes: Document, outputs: Mapping[str, Mapping[str, Output]]
) -> Change:
    own = {key: value for key, value in attributes.items() if key not in _META}
    values: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, value in own.items():
        values[key], unknown[key] = _resolve(value, outputs)
    return Change(
        stack=stack,
        address=f"{kind}.{name}",
        type=kind,
        action=Action.ADD,
        before=None,
        after=values,
        unknown=unknown,
        configured=frozenset(own),
        references=tuple(reference for key, value in own.items() for reference in _references(key, value)),
        planned=False,
    )


def _resolve(value: Any, outputs: Mapping[str, Mapping[str, Output]]) -> tuple[Any, Any]:
    """The value with what is known filled in, and the mask of what is not."""
    if isinstance(value, dict):
        pairs = {key: _resolve(one, outputs) for key, one in value.items()}
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
    if isinstance(value, list):
        items = [_resolve(one, outputs) for one in value]
        return [item[0] for item in items], [item[1] for item in items]
    if not isinstance(value, str):
        return value, False
    text = _REMOTE.sub(lambda found: _known(found, outputs), value)
    return (None, True) if _ANY.search(text) else (text.replace("$${", "${"), False)


def _known(found: re.Match[str], outputs: Mapping[str, Mapping[str, Output]]) -> str:
    output = outputs.get(found.group(1), {}).get(found.group(2))
    if output is None or output.unknown or output.after is None:
        return found.group(0)
    return str(output.after)


def _references(attribute: str, value: Any) -> Iterator[Reference]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _references(attribute, one)
    elif isinstance(value, str):
        yield from (Reference(attribute, found.group(1), found.group(2)) for found in _REMOTE.finditer(value))
