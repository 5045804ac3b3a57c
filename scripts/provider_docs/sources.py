"""A package's source as syntax trees: its modules, what each imports, which are reached from one.

Runs nothing; knows nothing of what the code means.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """One file: its functions by name (methods too), and what it imports of the package: modules and functions."""

    name: str
    tree: ast.Module
    imports: frozenset[str]
    functions: Mapping[str, ast.FunctionDef]
    imported: Mapping[str, ast.FunctionDef]


def modules(root: Path, package: str) -> dict[str, Module]:
    """Every module of a package, by dotted name. root: the folder that holds the package."""
    paths = {_dotted(path.relative_to(root)): path for path in sorted((root / package).rglob("*.py"))}
    found = {name: _module(name, path, set(paths)) for name, path in paths.items()}
    return {name: _with_imported(module, found) for name, module in found.items()}


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def _module(name: str, path: Path, known: set[str]) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return Module(name, tree, frozenset(_imports(tree) & known), functions, {})


def _with_imported(module: Module, known: Mapping[str, Module]) -> Module:
    """The module with the functions that it takes from others of the package by name."""
    taken = [node for node in module.tree.body if isinstance(node, ast.ImportFrom) and node.module in known]
    imported = {
        alias.name: known[node.module or ""].functions[alias.name]
        for node in taken
        for alias in node.names
        if alias.asname is None and alias.name in known[node.module or ""].functions
    }
    return replace(module, imported=imported)


def _imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def reached(start: str, known: Mapping[str, Module]) -> set[str]:
    """The modules that a module imports, itself included, however far away."""
    found, left = set(), [start]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += known[name].imports
    return found
