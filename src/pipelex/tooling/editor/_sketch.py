"""Reads incomplete TOML text in an editor: finds keys and values with their places, even if the text is not valid.

An unfinished statement ends with its line, so the text after it is still read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

Path = tuple[str | int, ...]

_MAX_DEPTH: Final = 40
_BLANK: Final = re.compile(r"[ \t]*")
_GAP: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"[^"\n]*"?|'[^'\n]*'?""")
_NEXT_LINE: Final = re.compile(
    r"""[ \t]*\[{1,2}[ \t]*[A-Za-z_"'][^\[\]\n=]*\]{1,2}[ \t]*(?:#[^\n]*)?(?=\n|$)|[A-Za-z_][\w-]*[ \t]*="""
)
"""A header, or a statement at the start of its line; neither occurs inside a value."""
_BARE_END: Final = re.compile(r"[,\]}#\n]")


@dataclass(frozen=True, slots=True)
class WrittenName:
    """One part of a key or of a table's header."""

    path: Path
    """The whole path that ends with this part."""
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class WrittenValue:
    """A value of a key or of an array."""

    path: Path
    kind: Literal["string", "table", "array", "bare", "none"]
    start: int
    end: int
    inner_start: int
    inner_end: int
    """The end of a string without its quotes."""

    def holds(self, offset: int) -> bool:
        """Whether a place is inside the value; the place after the last character is, too."""
        return self.inner_start <= offset <= self.inner_end


@dataclass
class Sketch:
    """The keys, values and headers of a text, in its order."""

    text: str
    names: list[WrittenName] = field(default_factory=list[WrittenName])
    values: list[WrittenValue] = field(default_factory=list[WrittenValue])
    headers: list[tuple[int, Path]] = field(default_factory=list[tuple[int, Path]])
    """The end of each table's header, and the path of the table."""

    def string(self, path: Path) -> str | None:
        """The text of a string, as it is written between its quotes."""
        found = next((value for value in self.values if value.path == path and value.kind == "string"), None)
        return None if found is None else self.inner(found)

    def inner(self, value: WrittenValue) -> str:
        return self.text[value.inner_start : value.inner_end]

    def keys_below(self, path: Path) -> Iterator[WrittenName]:
        """The names directly below a table, with every occurrence."""
        return (name for name in self.names if len(name.path) == len(path) + 1 and name.path[:-1] == path)

    def value_at(self, offset: int) -> WrittenValue | None:
        """The string or the unquoted value at a place."""
        holding = (value for value in self.values if value.kind not in ("table", "array") and value.holds(offset))
        return next(holding, None)

    def name_at(self, offset: int) -> WrittenName | None:
        return next((name for name in self.names if name.start <= offset <= name.end), None)

    def table_at(self, offset: int) -> Path:
        """The table that a key at a place would belong to."""
        inline = [value for value in self.values if value.kind == "table" and value.start < offset <= value.inner_end]
        if inline:
            return inline[-1].path
        return next((path for end, path in reversed(self.headers) if end <= offset), ())


def sketch(text: str) -> Sketch:
    """Read as much of a text as possible. Never raises."""
    reader = _SketchReader(text)
    reader.read()
    reader.found.values.sort(key=lambda value: (value.start, -value.end))
    return reader.found


class _SketchReader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.found = Sketch(text)
        self._rows: dict[Path, int] = {}
        """Array of tables → the number of its tables so far."""

    def read(self) -> None:
        place, base = 0, ()
        while True:
            place = self._after(_GAP, place)
            if place >= len(self.text):
                return
            if self.text[place] == "[":
                place, base = self._header(place)
            else:
                place = self._end_of_line(self._statement(place, base, depth=0, closing=""))

    def _after(self, pattern: re.Pattern[str], place: int) -> int:
        match = pattern.match(self.text, place)
        return place if match is None else match.end()

    def _end_of_line(self, place: int) -> int:
        end = self.text.find("\n", place)
        return len(self.text) if end < 0 else end

    # --- headers and keys

    def _header(self, place: int) -> tuple[int, Path]:
        is_row = self.text.startswith("[[", place)
        place, path = self._key(place + (2 if is_row else 1), (), is_header=True)
        if is_row and path:
            row = self._rows.get(path, 0)
            self._rows[path] = row + 1
            path = (*path, row)
        end = self._end_of_line(place)
        self.found.headers.append((end, path))
        return end, path

    def _key(self, place: int, base: Path, *, is_header: bool = False) -> tuple[int, Path]:
        """Read the parts of a key, and return the place after them and the whole path."""
        path = base
        while True:
            start = self._after(_BLANK, place)
            match = _KEY_PART.match(self.text, start)
            if match is None:
                return start, path
            path = (*path, match[0].strip("\"'"))
            self.found.names.append(WrittenName(path, match.start(), match.end()))
            if is_header and path in self._rows and self.text[match.end() : match.end() + 1] == ".":
                path = (*path, self._rows[path] - 1)
            place = self._after(_BLANK, match.end())
            if self.text[place : place + 1] != ".":
                return place, path
            place += 1

    def _statement(self, place: int, base: Path, *, depth: int, closing: str) -> int:
        """Read `key = value`, complete or not, and return the place after it."""
        place, path = self._key(place, base)
        if self.text[place : place + 1] != "=":
            return place
        place = self._after(_BLANK, place + 1)
        return self._value(place, path, depth, closing)

    # --- values

    def _value(self, place: int, path: Path, depth: int, closing: str) -> int:
        here = self.text[place : place + 1]
        if here in ("", "\n", "\r", "#") or (here in (",", "]", "}") and closing):
            self._add(path, "none", place, place, place, place)
            return place
        if here in ('"', "'"):
            return self._string(place, path, here)
        if here == "[" and depth < _MAX_DEPTH:
            return self._array(place, path, depth)
        if here == "{" and depth < _MAX_DEPTH:
            return self._inline_table(place, path, depth)
        match = _BARE_END.search(self.text, place)
        end = len(self.text) if match is None else match.start()
        end = place + len(self.text[place:end].rstrip())
        self._add(path, "bare", place, end, place, end)
        return max(end, place + 1)

    def _add(self, path: Path, kind: Literal["string", "table", "array", "bare", "none"], *places: int) -> None:
        self.found.values.append(WrittenValue(path, kind, *places))

    def _string(self, place: int, path: Path, quote: str) -> int:
        is_long = self.text.startswith(quote * 3, place)
        mark = quote * 3 if is_long else quote
        inner = place + len(mark)
        end = inner
        while end < len(self.text) and not self.text.startswith(mark, end):
            if self.text[end] == "\n" and not is_long:
                break
            end += 2 if self.text[end] == "\\" and quote == '"' and self.text[end + 1 : end + 2] != "\n" else 1
        end = min(end, len(self.text))
        while is_long and self.text.startswith(quote, end + 3):  # quotes before the closing ones belong to the text
            end += 1
        is_closed = self.text.startswith(mark, end)
        close = end + len(mark) if is_closed else end
        self._add(path, "string", place, close, inner, end)
        return max(close, place + 1)

    def _is_left(self, place: int) -> bool:
        """Whether another statement begins here, so an open value counts as ended."""
        start = self.text.rfind("\n", 0, place) + 1
        return not self.text[start:place].strip() and _NEXT_LINE.match(self.text, start) is not None

    def _array(self, place: int, path: Path, depth: int) -> int:
        start, place, row = place, place + 1, 0
        while True:
            place = self._after(_GAP, place)
            here = self.text[place : place + 1]
            if here == "" or self._is_left(place):
                self._add(path, "array", start, place, start + 1, place)
                return place
            if here == "]":
                self._add(path, "array", start, place + 1, start + 1, place)
                return place + 1
            if here in (",", "}", "="):
                place += 1
                continue
            place = self._value(place, (*path, row), depth + 1, "]")
            row += 1

    def _inline_table(self, place: int, path: Path, depth: int) -> int:
        start, place = place, place + 1
        while True:
            place = self._after(_GAP, place)
            here = self.text[place : place + 1]
            if here in ("", "]") or self._is_left(place):
                self._add(path, "table", start, place, start + 1, place)
                return place
            if here == "}":
                self._add(path, "table", start, place + 1, start + 1, place)
                return place + 1
            after = place + 1 if here in (",", "=", "[") else self._statement(place, path, depth=depth + 1, closing="}")
            place = max(after, place + 1)
