"""Reads TOML that others may have written, in time and memory that grow linearly with its size."""

import re
import tomllib
from collections.abc import Iterable
from typing import Any, Final, cast

from pipelex.config.files.plain import MOST_BYTES

MAX_DEPTH: Final = 40
"""The maximum nesting of tables and arrays. The language itself needs fewer than ten levels, a construct a few more."""

# tomllib's time grows with the square of the number of a key's parts, so such keys are refused before it reads them.
_MAX_LONG_KEYS: Final = 5_000
_LONG_KEY_PARTS: Final = 8
_MAX_KEY_PARTS: Final = 16
_KEY_PART: Final = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_KEY_BEGINS: Final = r"(?:^[ \t]*+\[{0,2}|[{,])[ \t]*+"
"""The place before a key: the start of a line, or of a member of an inline table."""
_LONG_KEY: Final = re.compile(rf"{_KEY_BEGINS}(?:{_KEY_PART}){{{_LONG_KEY_PARTS}}}", re.MULTILINE)
_ENDLESS_KEY: Final = re.compile(rf"{_KEY_BEGINS}(?:{_KEY_PART}){{{_MAX_KEY_PARTS}}}", re.MULTILINE)


class UnfitToml(tomllib.TOMLDecodeError):
    """TOML is refused because reading it would cost too much time or memory."""

    def __init__(self, message: str) -> None:
        ValueError.__init__(self, message)


def read_toml(text: str) -> dict[str, Any]:
    """The document of a text.

    Raises:
        tomllib.TOMLDecodeError: the text is not TOML, or is too large or too deep, or has endless keys or numbers
            (`UnfitToml`).
    """
    if len(text) > MOST_BYTES:
        raise UnfitToml(f"it has more than {MOST_BYTES:,} characters")
    if (unfit := unfit_key(text)) is not None:
        message, offset = unfit
        line, column = line_and_column(text, offset)
        raise UnfitToml(f"{message} (at line {line}, column {column})")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise UnfitToml("arrays or tables are nested too deeply") from None
    except ValueError:  # int() refuses more than 4,300 digits
        raise UnfitToml("a number has too many digits") from None
    if is_deeper_than(document, MAX_DEPTH):
        raise UnfitToml(f"arrays or tables are nested more than {MAX_DEPTH} deep")
    return document


def unfit_key(text: str) -> tuple[str, int] | None:
    """The reason why the keys of a text would take too long to read, and the first such key's place; None if not."""
    if (endless := _endless_key(text)) is not None:
        return f"this key has more than {_MAX_KEY_PARTS} parts", endless
    for count, long_key in enumerate(_LONG_KEY.finditer(text)):
        if count >= _MAX_LONG_KEYS:
            return (
                f"the file has more than {_MAX_LONG_KEYS:,} keys of more than {_LONG_KEY_PARTS} parts",
                long_key.start(),
            )
    return None


def is_deeper_than(document: dict[str, Any], limit: int) -> bool:
    """Whether tables and arrays are nested deeper than the limit."""
    level: list[Any] = [document]
    for _ in range(limit):
        deeper: list[Any] = []
        for value in level:
            children = cast("Iterable[Any]", value.values() if isinstance(value, dict) else value)
            deeper += [child for child in children if isinstance(child, dict | list)]
        if not deeper:
            return False
        level = deeper
    return True


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """The 1-based place of a character."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _endless_key(text: str) -> int | None:
    """The start of a key with far too many parts; None if there is none, or only text in a string looks like one."""
    if _ENDLESS_KEY.search(text) is None:
        return None
    import tree_sitter
    import tree_sitter_toml

    language = tree_sitter.Language(tree_sitter_toml.language())
    root = tree_sitter.Parser(language).parse(text.encode("utf-8", "replace")).root_node
    for match in _ENDLESS_KEY.finditer(text):
        inside = len(text[: match.end() - 1].rstrip(". \t").encode("utf-8", "replace")) - 1
        node = root.descendant_for_byte_range(inside, inside + 1)
        if node is None or node.type != "string":
            return match.start()
    return None
