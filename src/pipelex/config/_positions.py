"""The places of keys in a TOML text."""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

Span = tuple[int, int, int, int]
"""Line, column, end line, end column: 1-based, columns in characters, the end exclusive."""

_KEYS = ("bare_key", "quoted_key", "dotted_key")


class TomlPositions:
    """The places of every key and value of one TOML text, which is parsed when the first place is asked for.

    Args:
        text: the file's content. Keys outside a syntax error are still found.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def key(self, path: Sequence[str | int]) -> Span | None:
        """The place of the path's last key, in a pair, a table's header or a dotted key; for an index, of the item."""
        found = self._index.get(tuple(path))
        return None if found is None else self._span(found[0])

    def value(self, path: Sequence[str | int]) -> Span | None:
        """The place of the value; if it is a table with its own header, the place of the last key."""
        found = self._index.get(tuple(path))
        return None if found is None else self._span(found[1] or found[0])

    @cached_property
    def _lines(self) -> list[bytes]:
        return self._text.encode().split(b"\n")

    def _span(self, node: "Node") -> Span:
        (line, column), (end_line, end_column) = node.start_point, node.end_point
        return line + 1, self._characters(line, column), end_line + 1, self._characters(end_line, end_column)

    def _characters(self, line: int, byte: int) -> int:
        return len(self._lines[line][:byte].decode(errors="replace")) + 1 if line < len(self._lines) else 1

    @cached_property
    def _index(self) -> dict[tuple[str | int, ...], tuple["Node", "Node | None"]]:
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        root = Parser(Language(tree_sitter_toml.language())).parse(self._text.encode()).root_node
        index: dict[tuple[str | int, ...], tuple[Node, Node | None]] = {}
        passing: dict[tuple[str | int, ...], tuple[Node, None]] = {}
        for path, key, value, is_exact in _places(root):
            if is_exact:
                index.setdefault(path, (key, value))
            else:
                passing.setdefault(path, (key, None))
        return {**passing, **index}


def locate(text: str, keys: Sequence[str | int]) -> Span | None:
    """The place of a key in a TOML text; None when the text does not have it.

    Args:
        text: the TOML text.
        keys: the path; integers index arrays and arrays of tables.
    """
    return TomlPositions(text).key(keys)


_Place = tuple[tuple[str | int, ...], "Node", "Node | None", bool]


def _places(root: "Node") -> Iterator[_Place]:
    """Path, key, value, and whether the path ends at the key; otherwise the key is part of a longer one."""
    counts: dict[tuple[str | int, ...], int] = {}
    for child in root.named_children:
        if child.type == "pair":
            yield from _pair(child, ())
        elif child.type in ("table", "table_array_element"):
            header = next((node for node in child.named_children if node.type in _KEYS), None)
            if header is None:
                continue
            is_array = child.type == "table_array_element"
            path: tuple[str | int, ...] = ()
            segments = _segments(header)
            for place, (name, node) in enumerate(segments):
                path = (*path, name)
                is_last = place == len(segments) - 1
                yield path, node, None, is_last
                if is_array and is_last:
                    counts[path] = counts.get(path, -1) + 1
                if path in counts:
                    path = (*path, counts[path])
                    yield path, node, None, is_array and is_last
            for pair in child.named_children:
                if pair.type == "pair":
                    yield from _pair(pair, path)


def _pair(pair: "Node", prefix: tuple[str | int, ...]) -> Iterator[_Place]:
    parts = [node for node in pair.named_children if node.type != "comment"]
    if not parts or parts[0].type not in _KEYS:
        return
    value = parts[1] if len(parts) > 1 else None
    segments = _segments(parts[0])
    for place, (name, node) in enumerate(segments):
        prefix = (*prefix, name)
        is_last = place == len(segments) - 1
        yield prefix, node, value if is_last else None, is_last
    if value is not None:
        yield from _inside(value, prefix)


def _inside(value: "Node", prefix: tuple[str | int, ...]) -> Iterator[_Place]:
    if value.type == "inline_table":
        for pair in value.named_children:
            if pair.type == "pair":
                yield from _pair(pair, prefix)
    elif value.type == "array":
        items = [node for node in value.named_children if node.type != "comment"]
        for number, item in enumerate(items):
            yield (*prefix, number), item, item, True
            yield from _inside(item, (*prefix, number))


def _segments(key: "Node") -> list[tuple[str, "Node"]]:
    if key.type == "dotted_key":
        return [segment for child in key.named_children for segment in _segments(child)]
    text = (key.text or b"").decode()
    if key.type == "quoted_key":
        try:
            text = next(iter(tomllib.loads(f"{text} = 0")))
        except tomllib.TOMLDecodeError:
            text = text[1:-1]
    return [(text, key)]
