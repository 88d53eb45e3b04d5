"""Finds the functions that older files name without an import path in the method's Python files."""

import ast
from collections.abc import Mapping

from pipelex.tooling.fix._python import parsed

_DECORATOR = "pipe_func"


def functions_of_sources(sources: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Name → import paths of the pipe functions registered by that name, or else of any top-level functions.

    Args:
        sources: tree path → text of the Python files of a method; they are parsed, never run.
    """
    registered: dict[str, dict[str, None]] = {}
    others: dict[str, dict[str, None]] = {}
    for path, source in sources.items():
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        tree = parsed(source) if all(part.isidentifier() for part in module.split(".")) else None
        for node in tree.body if tree is not None else ():
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            names = _registered_names(node)
            for name in names or (node.name,):
                (registered if names else others).setdefault(name, {})[f"{module}.{node.name}"] = None
    return {name: tuple(paths) for name, paths in (others | registered).items()}


def _registered_names(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, ...]:
    """The names that a function is registered by: its own, and the one that its decorator sets."""
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        called = call.func if call is not None else decorator
        if (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)) != _DECORATOR:
            continue
        given = [keyword.value for keyword in call.keywords if keyword.arg == "name"] if call is not None else []
        named = [value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)]
        return (*named, node.name)
    return ()
