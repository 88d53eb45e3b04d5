"""Parses Python modules of a method tree without running them."""

import ast
from typing import Final

_TRIES: Final = 5


def parse_module(source: str | bytes) -> ast.Module:
    """The syntax tree of a module.

    Before Python 3.12, the interpreter counts the depth of all its parsers in one place (python/cpython#106905). A
    parser that is interrupted, by another thread or by a finalizer whose traceback is printed, may fail although the
    source is valid, so parsing is tried several times.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: the source is not Python, or is too large.
        SystemError: the parser was interrupted at every try.
    """
    for _ in range(_TRIES - 1):
        try:
            return ast.parse(source)
        except SystemError:
            continue
    return ast.parse(source)
