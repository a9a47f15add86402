"""Every import of a package, read from its syntax trees: nothing is executed, imports inside functions count."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Import:
    """``importer`` imports ``target`` (a module of the package where it is one, else as written) in this line."""

    importer: str
    target: str
    line: int
    deferred: bool  # inside a function: it happens only when that is called

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def read_modules(root: Path, package: str = "tracker") -> dict[str, ast.Module]:
    """Every module of the package in folder ``root``, by dotted name."""
    modules = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return modules


def imports_of(name: str, modules: Mapping[str, ast.Module]) -> list[Import]:
    """What one module imports, statically or by the name of a module in a string beside ``import_module``."""
    dynamic = bool(list(dynamic_imports(modules[name])))
    found = []
    for node, deferred in _walk(modules[name], deferred=False):
        match node:
            case ast.Import(names):
                found += [Import(name, alias.name, node.lineno, deferred) for alias in names]
            case ast.ImportFrom(module, names, 0):
                found += [
                    Import(name, _target(module or "", alias.name, modules), node.lineno, deferred) for alias in names
                ]
            case ast.Constant(str(text)) if dynamic and text in modules:
                found.append(Import(name, text, node.lineno, deferred=True))
            case _:
                pass
    return found


def dynamic_imports(tree: ast.Module) -> Iterator[int]:
    """Lines of imports that no syntax tree can follow."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("__import__" | "import_module") | ast.Attribute(attr="import_module")):
                yield node.lineno
            case _:
                pass


def find_circle(imports: Iterable[Import]) -> list[str]:
    """Modules that import one another in a circle, the first one again at the end; empty: there is none."""
    edges: dict[str, list[str]] = {}
    for each in imports:
        if each.target != each.importer:
            edges.setdefault(each.importer, []).append(each.target)
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in edges.get(module, ()):
            circle = visit(target, [*path, module])
            if circle:
                return circle
        done.add(module)
        return []

    return next((circle for circle in (visit(module, []) for module in sorted(edges)) if circle), [])


def loaded_with(start: str, imports: Iterable[Import]) -> dict[str, str]:
    """Everything that importing ``start`` loads, each with the module that asked for it.

    Deferred imports load nothing; the packages that a module is in are loaded before it.
    """
    edges: dict[str, list[str]] = {}
    for each in imports:
        if not each.deferred:
            edges.setdefault(each.importer, []).append(each.target)
    loaded = {start: ""}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        for target in (*edges.get(module, ()), module.rpartition(".")[0]):
            if target and target not in loaded:
                loaded[target] = module
                waiting.append(target)
    return loaded


def _target(module: str, name: str, modules: Mapping[str, ast.Module]) -> str:
    """``from tracker.core import meter`` imports a module, ``from tracker.core.meter import Mark`` a name of one."""
    full = f"{module}.{name}"
    return full if full in modules else module


def _walk(node: ast.AST, *, deferred: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, inside
        yield from _walk(child, deferred=inside)
