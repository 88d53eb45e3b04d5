"""Python files beside a method, read and never run."""

import ast

_PARSER_TRIES = 4


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a module; None when it is not Python.

    The parser of Python 3.11 may fail without a fault of the source when another thread parses (python/cpython#106905).
    """
    for _ in range(_PARSER_TRIES):
        try:
            return ast.parse(source)
        except SystemError:
            continue
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return None
