"""Places of the keys and values of a TOML document in its text.

`tomllib` provides the values; this index of the syntax tree is built only when a place is asked for.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from tree_sitter import Node

Span: TypeAlias = tuple[int, int, int, int]
"""Line, column, end line, end column: 1-based, the end exclusive."""

_MAX_DEPTH: Final = 80
_ESCAPE: Final = re.compile(r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|(?P<joined>\\[ \t]*\n[ \t\n]*)|\\.|[^\\]", re.DOTALL)
_SIMPLE_ESCAPES: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(slots=True)
class _Entry:
    key: "Node | None" = None
    value: "Node | None" = None
    table: "dict[str, _Entry]" = field(default_factory=lambda: dict[str, _Entry]())
    items: "list[_Entry]" = field(default_factory=lambda: list[_Entry]())


class Positions:
    """The places in one text that `tomllib` has accepted and whose line ends are normalised."""

    def __init__(self, text: str) -> None:
        import tree_sitter
        import tree_sitter_toml

        self._source = text.encode("utf-8")
        language = tree_sitter.Language(tree_sitter_toml.language())
        self._tree = tree_sitter.Parser(language).parse(self._source)
        self._columns = _Columns(self._source)
        self._top = _Entry()
        self._build(self._tree.root_node)

    def find(self, keys: Sequence[str | int], *, on_key: bool = False, offset: int | None = None) -> Span | None:
        """The place of a value (with `on_key`, of its key), or of the nearest table around it that exists."""
        entry, is_exact = self._nearest(keys)
        if is_exact and offset is not None and entry.value is not None and entry.value.type == "string":
            return self._inside(entry.value, offset)
        node = entry.key if on_key or entry.value is None else entry.value
        if node is None:
            return None
        return self._span(node)

    def _nearest(self, keys: Sequence[str | int]) -> tuple[_Entry, bool]:
        entry = self._top
        for key in keys:
            if isinstance(key, int):
                inner = entry.items[key] if 0 <= key < len(entry.items) else None
            else:
                inner = entry.table.get(key)
            if inner is None:
                return entry, False
            entry = inner
        return entry, True

    def _span(self, node: "Node") -> Span:
        start, end = node.start_point, node.end_point
        return (
            start.row + 1,
            self._columns.of(start.row, node.start_byte - start.column, start.column),
            end.row + 1,
            self._columns.of(end.row, node.end_byte - end.column, end.column),
        )

    def _inside(self, node: "Node", offset: int) -> Span:
        raw = self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        index = _raw_index(raw, offset)
        line, column, _, _ = self._span(node)
        before = raw[:index]
        newlines = before.count("\n")
        column = index - before.rfind("\n") if newlines else column + index
        return line + newlines, column, line + newlines, column + 1

    # --- building the index

    def _build(self, root: "Node") -> None:
        for child in root.named_children:
            if child.type == "pair":
                self._put(self._top, child, 0)
            elif child.type in ("table", "table_array_element"):
                self._put_table(child)

    def _put_table(self, node: "Node") -> None:
        children = node.named_children
        header = next((child for child in children if child.type in _KEY_TYPES), None)
        if header is None:
            return
        parts = list(key_parts(header))
        owner = self._descend(self._top, parts[:-1])
        name, part = parts[-1]
        entry = owner.table.setdefault(name, _Entry())
        if entry.key is None or node.type == "table":
            entry.key = part
        if node.type == "table_array_element":
            item = _Entry(key=header)
            entry.items.append(item)
            entry = item
        for child in children:
            if child.type == "pair":
                self._put(entry, child, 0)

    def _put(self, owner: _Entry, pair: "Node", depth: int) -> None:
        children = [child for child in pair.named_children if child.type != "comment"]
        if len(children) < 2 or children[0].type not in _KEY_TYPES:
            return
        parts = list(key_parts(children[0]))
        owner = self._descend(owner, parts[:-1])
        name, part = parts[-1]
        entry = owner.table.setdefault(name, _Entry())
        entry.key = part
        self._fill(entry, children[-1], depth)

    def _fill(self, entry: _Entry, value: "Node", depth: int) -> None:
        entry.value = value
        if depth > _MAX_DEPTH:
            return
        if value.type == "inline_table":
            for pair in value.named_children:
                if pair.type == "pair":
                    self._put(entry, pair, depth + 1)
        elif value.type == "array":
            for child in value.named_children:
                if child.type != "comment":
                    item = _Entry()
                    self._fill(item, child, depth + 1)
                    entry.items.append(item)

    def _descend(self, entry: _Entry, parts: "Sequence[tuple[str, Node]]") -> _Entry:
        for name, part in parts:
            inner = entry.table.setdefault(name, _Entry(key=part))
            entry = inner.items[-1] if inner.items else inner
        return entry


class _Columns:
    """Converts byte columns to character columns.

    Remembers the last one of each line, so a long line is read only once.
    """

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._last: dict[int, tuple[int, int]] = {}

    def of(self, row: int, line_start: int, column: int) -> int:
        known_bytes, known_characters = self._last.get(row, (0, 0))
        if known_bytes > column:
            known_bytes = known_characters = 0
        between = self._source[line_start + known_bytes : line_start + column]
        characters = known_characters + (len(between) if between.isascii() else len(between.decode("utf-8", "replace")))
        self._last[row] = (column, characters)
        return characters + 1


_KEY_TYPES: Final = frozenset({"bare_key", "quoted_key", "dotted_key"})


def key_parts(node: "Node") -> "Iterator[tuple[str, Node]]":
    """The parts of a key in order. The grammar nests a dotted key to the left, one level for each part."""
    pending = [node]
    while pending:
        part = pending.pop()
        if part.type == "dotted_key":
            pending.extend(reversed([child for child in part.named_children if child.type in _KEY_TYPES]))
            continue
        text = (part.text or b"").decode("utf-8", "replace")
        if part.type == "quoted_key":
            text = _unescape(text[1:-1]) if text.startswith('"') else text[1:-1]
        yield text, part


def _unescape(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        token = match[0]
        if token[0] != "\\":
            return token
        if token[1] in "uU":
            return chr(int(token[2:], 16))
        return _SIMPLE_ESCAPES.get(token[1], token[1])

    return _ESCAPE.sub(value, text)


def _raw_index(raw: str, offset: int) -> int:
    """The index in a string as written that holds the character at `offset` of its value."""
    quote = next(mark for mark in ('"""', "'''", '"', "'") if raw.startswith(mark))
    index = len(quote)
    if len(quote) == 3 and raw.startswith("\n", index):
        index += 1
    if quote[0] == "'":
        return min(index + offset, len(raw))
    reached = 0
    while index < len(raw):
        match = _ESCAPE.match(raw, index)
        if match is None:
            break
        if match["joined"] is None:  # a backslash at the end of a line stands for nothing
            if reached == offset:
                return index
            reached += 1
        index = match.end()
    return min(index, len(raw))
