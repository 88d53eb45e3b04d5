"""Rewrites TOML strings in the form that their author chose: unchanged parts keep their quotes, breaks and escapes."""

import bisect
import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import Final

from tomlkit.items import String, StringType, Trivia

_TOKEN: Final = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[ \t]*\n\s*|.)|.", re.DOTALL)
_PIECE: Final = re.compile(r"\w+|\W")
_MOST_PIECES: Final = 1500
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def string_item(value: str, like: String | None = None) -> String:
    """A TOML string of a value, in the form of another string as far as possible."""
    kind = _kind(value, like)
    original = _edited(like, value) if like is not None and like.type is kind else None
    if original is None:
        # A line break right after the opening quotes is not part of the value.
        original = ("\n" if kind.is_multiline() else "") + _escaped(value, kind)
    return String(kind, value, original, Trivia())


def _kind(value: str, like: String | None) -> StringType:
    kind = StringType.SLB if like is None else like.type
    if "\n" in value and kind.is_singleline():
        kind = StringType.MLL if kind.is_literal() else StringType.MLB
    if kind.is_literal() and (_CONTROL.search(value) or kind.value in value or (kind.unit in value[-1:])):
        kind = StringType.MLB if kind.is_multiline() else StringType.SLB
    return kind


def _escaped(value: str, kind: StringType) -> str:
    if kind.is_literal():
        return value
    text = value.replace("\\", "\\\\")
    if kind is StringType.MLB:
        text = text.replace('"""', '""\\"')
        text = text[:-1] + '\\"' if text.endswith('"') else text
    else:
        text = text.replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@dataclass(frozen=True)
class _Raw:
    """The text between a string's quotes, and the mapping from places in the value to places in the text."""

    text: str
    starts: list[int]
    """The place of each token in the value."""
    offsets: list[int]
    """The place of each token in the text."""

    def offset(self, place: int) -> int:
        index = bisect.bisect_left(self.starts, place)
        return self.offsets[index] if index < len(self.offsets) else len(self.text)


def _edited(old: String, new: str) -> str | None:
    """The old string's raw text with only the changed places rewritten; None if that is not possible."""
    raw = _read(old)
    if raw is None:
        return None
    hunks = list(_hunks(str(old), new))
    text, position = "", 0
    for start, end, written in hunks:
        first = raw.offset(start)
        if first < position:
            return None
        piece = _escaped(written, old.type) if written else ""
        text += raw.text[position:first] + piece
        position = raw.offset(end)
    text += raw.text[position:]
    return text if _parses_as(text, old.type, new) else None


def _read(old: String) -> _Raw | None:
    quoted = old.as_string()
    width = len(old.type.value)
    text = quoted[width:-width]
    starts: list[int] = []
    offsets: list[int] = []
    place = 0
    skipped = 1 if old.type.is_multiline() and text.startswith("\n") else 0
    for match in re.compile(r".", re.DOTALL).finditer(text) if old.type.is_literal() else _TOKEN.finditer(text):
        if match.start() < skipped:
            continue
        starts.append(place)
        offsets.append(match.start())
        is_joined = match[0].startswith("\\") and match[0][1:].strip(" \t").startswith("\n")
        place += 0 if is_joined and not old.type.is_literal() else 1
    return _Raw(text, starts, offsets) if place == len(str(old)) else None


def _hunks(old: str, new: str) -> list[tuple[int, int, str]]:
    """The places of the old value that change, in order, each with the new text."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    found: list[tuple[int, int, str]] = []
    for tag, first, last, from_line, to_line in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        if tag == "equal":
            continue
        start = sum(map(len, before[:first]))
        if tag == "replace" and last - first == to_line - from_line:
            for line, other in zip(before[first:last], after[from_line:to_line], strict=True):
                found += _within(start, line, other)
                start += len(line)
        else:
            found.append(_trimmed(start, "".join(before[first:last]), "".join(after[from_line:to_line])))
    return found


def _within(start: int, line: str, other: str) -> list[tuple[int, int, str]]:
    """The words of a line that change."""
    before, after = _PIECE.findall(line), _PIECE.findall(other)
    if line == other or max(len(before), len(after)) > _MOST_PIECES:
        return [_trimmed(start, line, other)] if line != other else []
    found: list[tuple[int, int, str]] = []
    for tag, first, last, from_piece, to_piece in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        if tag != "equal":
            begin = start + sum(map(len, before[:first]))
            end = begin + sum(map(len, before[first:last]))
            found.append((begin, end, "".join(after[from_piece:to_piece])))
    return found


def _trimmed(start: int, old: str, new: str) -> tuple[int, int, str]:
    """A change without the common text at both ends."""
    shorter = min(len(old), len(new))
    head = next((index for index in range(shorter) if old[index] != new[index]), shorter)
    most = shorter - head
    tail = next((index for index in range(most) if old[-1 - index] != new[-1 - index]), most)
    return start + head, start + len(old) - tail, new[head : len(new) - tail]


def _parses_as(text: str, kind: StringType, value: str) -> bool:
    try:
        return tomllib.loads(f"x = {kind.value}{text}{kind.value}") == {"x": value}
    except tomllib.TOMLDecodeError:
        return False
