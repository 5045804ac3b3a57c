"""Terraform's plans of all stacks, as objects: what `terraform show -json` says, without its noise.

Reads the documents; knows neither prices nor risks. Source of the shapes:
https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]
REFERENCE = re.compile(r"^data\.terraform_remote_state\.cross-stack-reference-input-([\w-]+)\.outputs\.([\w-]+)$")


class Action(StrEnum):
    """What Terraform will do with a resource. FORGET: it leaves the state and goes on existing."""

    ADD = "add"
    CHANGE = "change"
    REPLACE = "replace"
    DESTROY = "destroy"
    FORGET = "forget"
    NONE = "none"


ACTIONS = {
    ("no-op",): Action.NONE,
    ("read",): Action.NONE,
    ("create",): Action.ADD,
    ("update",): Action.CHANGE,
    ("delete",): Action.DESTROY,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("forget",): Action.FORGET,
    ("create", "forget"): Action.REPLACE,
}


@dataclass(frozen=True)
class Reference:
    """`attribute` takes its value from another stack's output."""

    attribute: str
    stack: str
    output: str


@dataclass(frozen=True)
class Change:
    """One resource, before and after. unknown, hidden_before, hidden_after: Terraform's masks, nested as the values.

    configured: dotted paths that the stack sets; the others are the provider's. planned: False for a resource that
    Terraform could not plan yet; its `after` is what was synthesized.
    """

    stack: str
    address: str
    type: str
    action: Action
    before: Document | None
    after: Document | None
    unknown: Any = False
    hidden_before: Any = False
    hidden_after: Any = False
    replaced_by: tuple[str, ...] = ()
    new_before_old: bool = False
    configured: frozenset[str] = frozenset()
    references: tuple[Reference, ...] = ()
    planned: bool = True

    @property
    def values(self) -> Document:
        """What it will be; what it was, when it goes."""
        return self.after if self.after is not None else (self.before or {})

    @property
    def arrives(self) -> bool:
        return self.action in (Action.ADD, Action.REPLACE)

    @property
    def leaves(self) -> bool:
        return self.action in (Action.DESTROY, Action.REPLACE)


@dataclass(frozen=True)
class Output:
    """A stack's output. changes: whether its value is another one after the apply, as far as is known."""

    name: str
    before: Any
    after: Any
    unknown: bool
    changes: bool


@dataclass(frozen=True)
class StackPlan:
    """One stack. waits_for: stacks that must be applied before this one can be planned whole.

    region: where its providers work. hints: what it warned of at synth. text: Terraform's own words, for people.
    """

    name: str
    changes: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    region: str = ""
    terraform_version: str = ""
    state_terraform_version: str = ""
    waits_for: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    text: str = ""

    @property
    def is_new(self) -> bool:
        """Nothing of it exists yet."""
        return not any(change.before is not None for change in self.changes)

    def of_type(self, *types: str) -> Iterator[Change]:
        return (change for change in self.changes if change.type in types)


def read(name: str, document: Document, *, text: str = "") -> StackPlan:
    """A stack's plan from `terraform show -json`."""
    module = document.get("configuration", {}).get("root_module", {})
    expressions = {one["address"]: one.get("expressions", {}) for one in module.get("resources", [])}
    return StackPlan(
        name=name,
        changes=tuple(
            _change(name, one, expressions.get(one["address"], {}))
            for one in document.get("resource_changes", [])
            if one.get("mode") == "managed"
        ),
        drift=tuple(
            _change(name, one, expressions.get(one["address"], {})) for one in document.get("resource_drift", [])
        ),
        outputs={output: _output(output, one) for output, one in document.get("output_changes", {}).items()},
        region=_region(document),
        terraform_version=document.get("terraform_version", ""),
        text=text,
    )


def with_unplanned(plan: StackPlan, unplanned: tuple[Change, ...], waits_for: tuple[str, ...]) -> StackPlan:
    """The plan with the resources that Terraform left out, as they were synthesized."""
    known = {change.address for change in plan.changes}
    rest = tuple(change for change in unplanned if change.address not in known)
    return replace(plan, changes=plan.changes + rest, waits_for=waits_for)


def _change(stack: str, one: Document, expressions: Document) -> Change:
    change = one["change"]
    actions = tuple(change["actions"])
    return Change(
        stack=stack,
        address=one["address"],
        type=one["type"],
        action=ACTIONS[actions],
        before=change.get("before"),
        after=change.get("after"),
        unknown=change.get("after_unknown", False),
        hidden_before=change.get("before_sensitive", False),
        hidden_after=change.get("after_sensitive", False),
        replaced_by=tuple(".".join(str(step) for step in path) for path in change.get("replace_paths", [])),
        new_before_old=actions == ("create", "delete"),
        configured=frozenset(_paths(expressions)),
        references=tuple(_references(expressions)),
    )


def _references(expressions: Document) -> Iterator[Reference]:
    for attribute, expression in expressions.items():
        for text in _named(expression):
            if found := REFERENCE.match(text):
                yield Reference(attribute, found.group(1), found.group(2))


def _paths(expressions: Document, prefix: str = "") -> Iterator[str]:
    """The paths with an expression: an object with a value or references; a block has neither."""
    for key, expression in expressions.items():
        for one in expression if isinstance(expression, list) else [expression]:
            if isinstance(one, dict) and one and not {"constant_value", "references"} & set(one):
                yield from _paths(one, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"


def _named(expression: Any) -> Iterator[str]:
    """Everything that an expression refers to, however deep its blocks."""
    if isinstance(expression, list):
        for one in expression:
            yield from _named(one)
    elif isinstance(expression, dict):
        if isinstance(names := expression.get("references"), list) and all(isinstance(one, str) for one in names):
            yield from names
        for one in expression.values():
            if isinstance(one, dict | list):
                yield from _named(one)


def _output(name: str, one: Document) -> Output:
    unknown = bool(one.get("after_unknown"))
    changes = ACTIONS.get(tuple(one["actions"]), Action.CHANGE) is not Action.NONE
    return Output(name, one.get("before"), one.get("after"), unknown, changes)


def _region(document: Document) -> str:
    for provider in document.get("configuration", {}).get("provider_config", {}).values():
        region = provider.get("expressions", {}).get("region", {}).get("constant_value")
        if region:
            return str(region)
    return ""
