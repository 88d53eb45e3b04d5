"""Python files beside a method, read and never run."""

import ast

from pipelex.library.python_source import parse_module


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a module; None when it is not Python."""
    try:
        return parse_module(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return None
