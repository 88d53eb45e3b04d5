"""Positions in a text as an editor counts them, and the offsets that we use."""

import re
from typing import Final

from lsprotocol import types
from pygls.workspace import PositionCodec

from pipelex.errors import Location

_WORD: Final = re.compile(r"[\w.-]+")


class Places:
    """Converts between offsets and an editor's positions in one text.

    Args:
        text: the document.
        codec: counts as the editor does; in UTF-16 code units unless another encoding was agreed on.
    """

    def __init__(self, text: str, codec: PositionCodec) -> None:
        self._lines = text.split("\n")
        self._codec = codec
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def offset(self, position: types.Position) -> int:
        """The offset of a position, or of the nearest one if the text has no such position."""
        if position.line >= len(self._lines):
            return self._starts[-1] - 1
        line, units = self._lines[position.line], 0
        for index, character in enumerate(line):
            if units >= position.character:
                return self._starts[position.line] + index
            units += self._codec.client_num_units(character)
        return self._starts[position.line] + len(line)

    def position(self, offset: int) -> types.Position:
        line = next((row for row, start in enumerate(self._starts[1:]) if offset < start), len(self._lines) - 1)
        return self._at(line, offset - self._starts[line])

    def range(self, start: int, end: int) -> types.Range:
        return types.Range(self.position(start), self.position(end))

    def range_of(self, location: Location) -> types.Range:
        """The range of a fault, or of the word at its place if its end is not known."""
        line = min((location.line or 1) - 1, len(self._lines) - 1)
        column = min((location.column or 1) - 1, len(self._lines[line]))
        end_line = min((location.end_line or line + 1) - 1, len(self._lines) - 1)
        end_column = (location.end_column or column + 2) - 1
        if end_line == line and end_column <= column + 1:
            word = _WORD.match(self._lines[line], column)
            end_column = column + 1 if word is None else word.end()
        elif end_line > line:  # of several lines, only the first is marked
            end_line, end_column = line, len(self._lines[line])
        return types.Range(self._at(line, column), self._at(end_line, min(end_column, len(self._lines[end_line]))))

    def _at(self, line: int, column: int) -> types.Position:
        return types.Position(line, self._codec.client_num_units(self._lines[line][:column]))
