"""Better messages for TOML syntax errors: inline tables over several lines, and tables or keys declared twice."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from pipelex.language._fault import shorten
from pipelex.language._positions import key_parts

if TYPE_CHECKING:
    from tree_sitter import Node

_TOKEN: Final = re.compile(
    r"""#[^\n]*|"{3}(?:[^\\]|\\.)*?"{3}|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[\[\]{}]""", re.DOTALL
)
_BLANKS: Final = re.compile(r"(?:[ \t]|#[^\n]*)*")
_KEY_BEFORE: Final = re.compile(r"""([A-Za-z0-9_."'-]+)[ \t]*=[ \t]*(\[\s*)?$""")
_BREAK: Final = re.compile(r"\n[ \t]*(?=\n|\[)")
_HEADER: Final = re.compile(r"^[ \t]*\[\[?[ \t]*([^\[\]\n]+?)[ \t]*\]\]?", re.MULTILINE)


class Hint(NamedTuple):
    """A better message for a syntax error, and its place."""

    message: str
    offset: int


def hint_for(said: str, text: str, offset: int) -> Hint | None:
    """The message that replaces the parser's; None if the parser's message is clear enough.

    Args:
        said: the parser's message, without the place.
        text: the whole text.
        offset: the place, as a character of the text.
    """
    if said.startswith(("Cannot declare", "Cannot overwrite", "Cannot mutate", "Cannot redefine")):
        return _declared_twice(text, offset)
    if said.startswith(("Invalid initial character for a key", "Unclosed inline table", "Invalid statement")):
        return _broken_inline_table(text, offset)
    return None


# --- inline tables ----------------------------------------------------------------------------------------------------


def _broken_inline_table(text: str, offset: int) -> Hint | None:
    opened = _open_brackets(text, offset)
    if not opened or text[opened[-1]] != "{":
        return None
    start = opened[-1]
    following = text[_end_of(_BLANKS, text, offset) :][:1]
    if following == "}" and text[start:offset].rstrip().endswith(","):
        return Hint("an inline table must not have a comma before its '}'", text.rfind(",", start, offset))
    if following not in ("\n", "\r", "") and "\n" not in text[start:offset]:
        return None
    ends_open = text[start:offset].rstrip().endswith((",", "{"))
    if not ends_open and "}" not in text[start : _statement_end(text, offset)]:
        return None
    return Hint(f"an inline table must be on one line: put it on one line, or write {_own_table(text, start)}", start)


def _statement_end(text: str, offset: int) -> int:
    """The last place where an unfinished value can end: before the next header or empty line."""
    match = _BREAK.search(text, offset)
    return len(text) if match is None else match.start()


def _own_table(text: str, start: int) -> str:
    """The header of the table that could replace an inline table."""
    match = _KEY_BEFORE.search(text, text.rfind("\n", 0, start) + 1, start) or _KEY_BEFORE.search(text[:start][-400:])
    header = next(reversed(list(_HEADER.finditer(text, 0, start))), None)
    if match is None:
        return "a [table] of its own"
    name = match[1] if header is None else f"{header[1]}.{match[1]}"
    shown = shorten(name)
    return f"the table [[{shown}]]" if match[2] else f"the table [{shown}]"


def _open_brackets(text: str, end: int) -> list[int]:
    """The places of the brackets that are still open at `end`."""
    opened: list[int] = []
    for match in _TOKEN.finditer(text, 0, end):
        if match[0] in ("[", "{"):
            opened.append(match.start())
        elif match[0] in ("]", "}") and opened:
            opened.pop()
    return opened


def _end_of(pattern: re.Pattern[str], text: str, offset: int) -> int:
    match = pattern.match(text, offset)
    return offset if match is None else match.end()


# --- the same name twice ----------------------------------------------------------------------------------------------


def _declared_twice(text: str, offset: int) -> Hint | None:
    """The first name that is declared a second time, no later than where the parser stopped."""
    import tree_sitter
    import tree_sitter_toml

    source = text.encode("utf-8")
    language = tree_sitter.Language(tree_sitter_toml.language())
    root = tree_sitter.Parser(language).parse(source).root_node
    tables: dict[tuple[str, ...], int] = {}
    keys: dict[tuple[str, ...], int] = {}
    found: Hint | None = None
    for kind, path, node in _declarations(root):
        place = len(source[: node.start_byte].decode("utf-8", "replace"))
        line = node.start_point.row + 1
        known = tables if kind == "table" else keys
        first = known.get(path, keys.get(path) if kind == "table" else None)
        if first is not None and found is None and place <= offset:
            name = shorten(".".join(path))
            what = f"table [{name}] is declared twice" if kind == "table" else f"key '{name}' already has a value"
            found = Hint(f"{what}: the first is at line {first}", place)
        known.setdefault(path, line)
    return found


def _declarations(root: "Node") -> "Iterator[tuple[str, tuple[str, ...], Node]]":
    """Every table and key in order, with its whole path. Keys in arrays of tables are left out: each has its own."""
    for child in root.named_children:
        if child.type == "pair":
            yield from _pairs(child, ())
        elif child.type == "table":
            header, *pairs = child.named_children
            path = tuple(name for name, _ in key_parts(header))
            yield "table", path, header
            for pair in pairs:
                if pair.type == "pair":
                    yield from _pairs(pair, path)


def _pairs(pair: "Node", base: tuple[str, ...], depth: int = 0) -> "Iterator[tuple[str, tuple[str, ...], Node]]":
    children = [child for child in pair.named_children if child.type != "comment"]
    if len(children) < 2 or depth > 40:
        return
    path = (*base, *(name for name, _ in key_parts(children[0])))
    yield "key", path, children[0]
    if children[-1].type == "inline_table":
        for inner in children[-1].named_children:
            if inner.type == "pair":
                yield from _pairs(inner, path, depth + 1)
