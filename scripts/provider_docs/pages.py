"""The provider's pages as Markdown: every attribute, block, time-out, error and import of what it declares.

Everything comes from the schemas, the `import_` docstrings, the source's diagnostics and the example
files; a page cannot say what the provider does not. Laid out as Terraform's registry reads a provider's docs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.provider_docs.errors import Message
from scripts.provider_docs.tables import attribute_table, block_headline, message_table, result_table, timeout_table
from tfplugin.schema import Block, Body, Schema

GENERATED = "<!-- Written by `make provider-docs`. Change the provider's schema or the example instead. -->\n"


@dataclass(frozen=True)
class Subject:
    """A resource or a data source to document. kind: `resource` or `data source`; messages: of its own code."""

    kind: str
    type_name: str
    schema: Schema
    import_doc: str
    messages: Sequence[Message]
    example: Path

    @property
    def path(self) -> str:
        """Where its page lies, relative to the pages' folder."""
        return f"{self.kind.replace(' ', '-')}s/{self.type_name.partition('_')[2]}.md"


def subject_page(subject: Subject, *, root: Path) -> str:
    """root: the repository, which paths on the page are relative to."""
    body = subject.schema.body
    parts = [GENERATED, f"# {subject.type_name} ({subject.kind})\n", body.description + "\n", *_example(subject, root)]
    parts += list(_bodies(body))
    parts += [*_timeouts(body), *_import(subject)]
    parts += [
        "## Errors\n",
        _errors(subject.messages),
        "Errors of Google's API, of waiting and of names: [errors](../errors.md).\n",
    ]
    return "\n".join(parts)


def index_page(
    schema: Schema, subjects: Sequence[Subject], messages: Sequence[Message], *, source: str, version: str
) -> str:
    """The provider's own page: its configuration, and a list of what it has."""
    parts = [
        GENERATED,
        "# Provider `vertex`\n",
        schema.body.description + "\n",
        _INDEX.format(source=source, version=version),
    ]
    for kind in ("resource", "data source"):
        rows = [one for one in subjects if one.kind == kind]
        if rows:
            parts.append(f"| {kind} | what it is |\n|---|---|")
            parts += [
                f"| [`{one.type_name}`]({one.path}) | {_first_sentence(one.schema.body.description)} |" for one in rows
            ]
            parts.append("")
    parts += ["## Configuration\n", attribute_table(schema.body.attributes), "## Errors\n", _errors(messages)]
    return "\n".join(parts)


_INDEX = """Source address `{source}`, version {version}. [Use it from plain HCL](hcl.md), [publish it](publishing.md),
[what every resource may end in](errors.md).

A change of an attribute is made in place unless its row says that it **replaces** the resource.
Every wait has a time-out of its own in `timeouts`. When it passes, or Terraform is interrupted, Google goes on with
what was begun; it is in the state, and the next apply goes on from there.
While Terraform is silent, `python -m provider progress --follow` shows each phase: [how](../long-deployments.md).
"""


def errors_page(messages: Sequence[Message]) -> str:
    """What all resources share."""
    title = "# Errors that every resource may end in\n"
    return "\n".join([GENERATED, title, "Words in *italics* stand for values.\n", _errors(messages)])


def _first_sentence(text: str) -> str:
    return text.replace("\n", " ").partition(". ")[0].rstrip(".") + "."


def _example(subject: Subject, root: Path) -> Iterator[str]:
    link = os.path.relpath(subject.example, root / "docs" / "provider" / Path(subject.path).parent)
    yield f"## Example\n\n```terraform\n{subject.example.read_text(encoding='utf-8').strip()}\n```\n"
    yield f"A test applies it: [`{subject.example.relative_to(root)}`]({link}).\n"


def _bodies(body: Body) -> Iterator[str]:
    """The tables of a body and of its blocks, outer ones first."""
    arguments = [one for one in body.attributes if one.required or one.optional]
    results = [one for one in body.attributes if not (one.required or one.optional)]
    yield "## Arguments\n"
    yield attribute_table(arguments)
    told: list[tuple[str, Body]] = []
    for path, block in _blocks(body):
        if any(path.startswith(f"{above}.") and _twin(one, told) for above, one in told):
            continue  # told where its outer block's twin is
        yield f"### `{path}`\n"
        yield block_headline(block) + "\n"
        twin = _twin(block.body, told)
        yield f"The same as in `{twin}`.\n" if twin else attribute_table(block.body.attributes)
        told.append((path, block.body))
    if results:
        yield "## Attributes\n"
        yield result_table(results)


def _blocks(body: Body, above: str = "") -> Iterator[tuple[str, Block]]:
    for block in body.blocks:
        if block.name != "timeouts":
            yield f"{above}{block.name}", block
            yield from _blocks(block.body, f"{above}{block.name}.")


def _twin(body: Body, told: Sequence[tuple[str, Body]]) -> str | None:
    """The path of an earlier block with the same attributes and blocks."""
    inside = (list(body.attributes), list(body.blocks))
    return next(
        (path for path, one in told if one is not body and (list(one.attributes), list(one.blocks)) == inside), None
    )


def _timeouts(body: Body) -> Iterator[str]:
    for block in body.blocks:
        if block.name == "timeouts":
            yield "## Timeouts\n"
            yield "How long Terraform waits, as `90m` or `1h30m`. When it is over nothing is undone: apply again.\n"
            yield timeout_table(block.body.attributes)


def _import(subject: Subject) -> Iterator[str]:
    if subject.kind == "resource":
        text = subject.import_doc.strip().removeprefix("identifier:").strip()
        found: Any = re.search(r"`([^`]+)`", text)
        yield f"## Import\n\nBy {text}\n"
        yield f"```sh\nterraform import {subject.type_name}.this '{found[1]}'\n```\n"


def _errors(messages: Sequence[Message]) -> str:
    titles = {
        "refused": "Refused before anything is done (`terraform validate`, `plan`):",
        "error": "Errors:",
        "warning": "Warnings:",
    }
    found = []
    for kind, title in titles.items():
        rows = [one for one in messages if one.kind == kind]
        if rows:
            found.append(f"{title}\n\n{message_table(rows)}")
    return "\n".join(found) if found else "None of its own.\n"
