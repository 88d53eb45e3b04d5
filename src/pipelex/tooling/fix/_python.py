"""Parses Python files beside a method without running them."""

import ast

from pipelex.library.python_source import parse_module


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a module; None if it is not valid Python."""
    try:
        return parse_module(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return None
