"""What a provider's code can tell its user, read out of the source: no list of errors is kept by hand.

Finds every call that makes an error, a problem of a configuration or a warning. Knows nothing of Markdown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scripts.provider_docs.sources import Module
from scripts.provider_docs.texts import Texts, bound, called, says_something


@dataclass(frozen=True)
class Message:
    """One diagnostic. kind: `refused` (a configuration, before anything is done), `error` or `warning`.

    Values that are filled in stand as *names*; what cannot be read from the source as `…`.
    """

    kind: str
    summary: str
    detail: str


def messages(module: Module, error_classes: set[str]) -> list[Message]:
    """Every diagnostic that the module's own code makes, in the order of the source."""
    reader = _Reader(module, error_classes)
    return list(dict.fromkeys(one for function in _outer(module.tree) for one in reader.of(function)))


def error_classes(known: Mapping[str, Module]) -> set[str]:
    """`PluginError` and every class of the package that is one."""
    found = {"PluginError"}
    classes = [node for one in known.values() for node in ast.walk(one.tree) if isinstance(node, ast.ClassDef)]
    while True:
        more = {node.name for node in classes if found & {getattr(base, "id", "") for base in node.bases}} - found
        if not more:
            return found
        found |= more


def _outer(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        yield from [node] if isinstance(node, ast.FunctionDef) else []
        yield from (one for one in getattr(node, "body", ()) if isinstance(one, ast.FunctionDef))


class _Reader:
    """Reads the diagnostics of one module's functions."""

    def __init__(self, module: Module, classes: set[str]) -> None:
        self._module, self._classes = module, classes

    def of(self, function: ast.FunctionDef) -> Iterator[Message]:
        """Those that a function makes itself, and those it has a maker make.

        A maker returns a diagnostic whose texts hold its parameters; it is read where it is called.
        """
        if self._is_maker(function):
            return
        texts = Texts(self._module, function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                yield from self._of_call(node, texts)
            if isinstance(node, ast.Assign) and _sets(node, "summary"):  # an error that is told anew
                details = [
                    one.value for one in ast.walk(function) if isinstance(one, ast.Assign) and _sets(one, "detail")
                ]
                yield from _messages("error", texts.of(node.value), texts.of(details[0]) if details else [""])

    def _of_call(self, call: ast.Call, texts: Texts) -> Iterator[Message]:
        kind = self._kind(call)
        if kind:
            first, second = _argument(call, 0, "summary"), _argument(call, 1, "detail")
            yield from _messages(kind, texts.of(first) if first else [], texts.of(second) if second else [""])
        maker = self._module.functions.get(called(call)) or self._module.imported.get(called(call))
        if maker is not None and self._is_maker(maker):
            for inner in _made(maker):
                yield from self._of_call(inner, Texts(self._module, maker, bound(maker, call), texts))

    def _kind(self, call: ast.Call) -> str | None:
        name = called(call)
        if name in self._classes:
            return "error"
        if name == "Problem":
            is_warning = _argument(call, 3, "is_warning")
            return "warning" if isinstance(is_warning, ast.Constant) and is_warning.value else "refused"
        return "warning" if name == "warn" else None

    def _is_maker(self, function: ast.FunctionDef) -> bool:
        names = {argument.arg for argument in function.args.args}
        return any(
            self._kind(call) and names & {node.id for node in ast.walk(call.args[0]) if isinstance(node, ast.Name)}
            for call in _made(function)
            if call.args
        )


def _messages(kind: str, summaries: Sequence[str], details: Sequence[str]) -> Iterator[Message]:
    if len(details) != len(summaries):  # the same number: the same choice decides both
        details = [" / ".join(details)] * len(summaries)
    pairs = zip(summaries, details, strict=True)
    yield from (Message(kind, summary, detail) for summary, detail in pairs if says_something(summary))


def _sets(node: ast.Assign, attribute: str) -> bool:
    return any(isinstance(target, ast.Attribute) and target.attr == attribute for target in node.targets)


def _made(function: ast.FunctionDef) -> list[ast.Call]:
    return [one.value for one in ast.walk(function) if isinstance(one, ast.Return) and isinstance(one.value, ast.Call)]


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    named = next((one.value for one in call.keywords if one.arg == name), None)
    return call.args[position] if position < len(call.args) else named
