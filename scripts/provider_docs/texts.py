"""What an expression of the source may read as a text, its filled-in values as *names*.

Knows Python's syntax; runs nothing and knows nothing of diagnostics.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from scripts.provider_docs.sources import Module

MAX_READINGS = 4
GAP = "…"


class Texts:
    """The readings of an expression that is a text, inside one function.

    given: what the function's parameters are in a call that is read; caller: the readings of that call's place.
    """

    def __init__(
        self,
        module: Module,
        function: ast.FunctionDef,
        given: Mapping[str, ast.expr] | None = None,
        caller: Texts | None = None,
    ) -> None:
        self._module, self._function, self._given, self._caller = module, function, given or {}, caller

    def of(self, node: ast.expr) -> list[str]:
        found = list(dict.fromkeys(self._of(node)))
        return found if len(found) <= MAX_READINGS else [GAP]

    def _of(self, node: ast.expr) -> list[str]:
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=parts):
                return ["".join(one) for one in product(*(self.of(part) for part in parts))]
            case ast.FormattedValue(value=inner) | ast.Subscript(value=inner, slice=ast.Slice()):
                return self.of(inner)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return [a + b for a, b in product(self.of(left), self.of(right))]
            case ast.IfExp(body=body, orelse=orelse):
                return [*self.of(body), *self.of(orelse)]
            case ast.Name(id=name):
                return self._of_name(name)
            case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
                return [f"*{name}*"]
            case ast.Call():
                return self._of_call(node)
            case ast.Tuple(elts=steps):
                return self._of_path(steps)
        return [GAP]

    def _of_path(self, steps: Sequence[ast.expr]) -> list[str]:
        """Of a path of names and indexes: its last name."""
        readings = (self.of(step) for step in reversed(steps) if not isinstance(step, ast.Starred))
        return next((found for found in readings if any(map(says_something, found))), [GAP])

    def _of_name(self, name: str) -> list[str]:
        if name in self._given and self._caller is not None:
            given = self._given[name]
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                return [given.value]  # nothing, too, when that is what is given
            found = self._caller.of(given)
        else:
            found = [text for value in _values(self._function, name) for text in self.of(value)]
        return found if any(says_something(text) for text in found) else [f"*{name}*"]

    def _of_call(self, call: ast.Call) -> list[str]:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "strip":
            return [one.strip() for one in self.of(call.func.value)]
        if isinstance(call.func, ast.Attribute) and call.func.attr == "join":
            return self._of_join(call.func.value, call.args[0])
        inner = self._module.functions.get(called(call))
        returned = [one.value for one in ast.walk(inner) if isinstance(one, ast.Return) and one.value] if inner else []
        if inner is not None and returned and all(is_text(one) for one in returned):
            texts = Texts(self._module, inner, bound(inner, call), self)
            return [text for one in returned for text in texts.of(one)]
        match call.args:
            case [ast.Constant(value=str(key))]:  # looked up
                return [f"*{key}*"]
            case [one]:  # trimmed, or made a text
                return self.of(one)
        return [GAP]

    def _of_join(self, separator: ast.expr, parts: ast.expr) -> list[str]:
        """Of parts that are written out, in place or in a comprehension that leaves empty ones out."""
        parts = parts.generators[0].iter if isinstance(parts, ast.GeneratorExp) else parts
        if not isinstance(parts, ast.Tuple | ast.List) or not isinstance(separator, ast.Constant):
            return [GAP]
        if any(isinstance(part, ast.Starred) for part in parts.elts):
            return [GAP]
        return [str(separator.value).join(one) for one in product(*(self.of(part) for part in parts.elts))]


def _values(function: ast.FunctionDef, name: str) -> Iterator[ast.expr]:
    """What a local name is given in a function: assigned, or taken in turn from a list that is written out."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and [getattr(one, "id", "") for one in node.targets] == [name]:
            yield node.value
        if isinstance(node, ast.For) and getattr(node.target, "id", "") == name:
            yield from getattr(node.iter, "elts", ())


def says_something(text: str) -> bool:
    """Whether it is more than a placeholder."""
    return any(part.strip(f"{GAP} ") for part in text.split("*")[::2])


def is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return is_text(node.body) or is_text(node.orelse)
    if isinstance(node, ast.BinOp):
        return is_text(node.left) or is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def bound(function: ast.FunctionDef, call: ast.Call) -> dict[str, ast.expr]:
    """What a call gives a function's parameters, by name; their defaults where it gives nothing."""
    names = [argument.arg for argument in function.args.args if argument.arg != "self"]
    defaults = dict(zip(reversed(names), reversed(function.args.defaults), strict=False))
    given = dict(zip(names, call.args, strict=False)) | {one.arg: one.value for one in call.keywords if one.arg}
    return defaults | given
