"""Python modules of a method tree, read and never run."""

import ast
from typing import Final

_TRIES: Final = 5


def parse_module(source: str | bytes) -> ast.Module:
    """The syntax tree of a module.

    Before 3.12 the interpreter counts the depth of all its parsers in one place (python/cpython#106905): one that is
    interrupted, by another thread or by a finalizer whose traceback is printed, may fail without a fault of its own.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: the source is not Python, or too much of it.
        SystemError: the parser was interrupted at every try.
    """
    for _ in range(_TRIES - 1):
        try:
            return ast.parse(source)
        except SystemError:
            continue
    return ast.parse(source)
