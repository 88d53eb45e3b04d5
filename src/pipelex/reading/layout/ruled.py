"""Tables whose cells are drawn: the lines of a page, and the grids that they make."""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelex.reading.layout.words import Place, Word, turned

_NEAR: Final = 2.5
"""The distance, in points, within which lines count as meeting."""
_SHORTEST: Final = 4.0
_MOST_PATHS: Final = 5_000
_MOST_LINES: Final = 4_000
"""The number of lines above which a page is taken for a drawing, and no table is looked for."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page that is roughly horizontal or vertical."""

    at: float
    start: float
    end: float

    def covers(self, place: float) -> bool:
        return self.start - _NEAR <= place <= self.end + _NEAR


@dataclass(frozen=True, eq=False)
class Grid:
    """A table with the lines between its cells."""

    xs: Sequence[float]
    ys: Sequence[float]
    across: Sequence[_Line]
    down: Sequence[_Line]

    @property
    def box(self) -> Place:
        """The place of the table."""
        return Place(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1])

    def cell_of(self, word: Word) -> tuple[int, int] | None:
        """The row and the column of a word, the first ones for a merged cell; None for a word outside the table."""
        x, y = word.box.middle
        if not (self.xs[0] <= x <= self.xs[-1] and self.ys[0] <= y <= self.ys[-1]):
            return None
        row, column = _interval(self.ys, y), _interval(self.xs, x)
        while column > 0 and not self._is_line(self.down, self.xs[column], _between(self.ys, row)):
            column -= 1
        while row > 0 and not self._is_line(self.across, self.ys[row], _between(self.xs, column)):
            row -= 1
        return row, column

    def _is_line(self, lines: Sequence[_Line], at: float, place: float) -> bool:
        return any(abs(line.at - at) <= _NEAR and line.covers(place) for line in lines)


def grids_of(page: Any, turn: int) -> list[Grid]:
    """The drawn tables of a page, from top to bottom.

    Args:
        page: the page, an object of PDFium's binding.
        turn: the number of quarter turns by which its text is rotated.
    """
    lines = list(_lines(page, turn))
    if not 4 <= len(lines) <= _MOST_LINES:
        return []
    across = [_Line(box.middle[1], box.left, box.right) for box in lines if box.right - box.left >= box.height]
    down = [_Line(box.middle[0], box.top, box.bottom) for box in lines if box.right - box.left < box.height]
    found = [grid for group in _groups(across, down) if (grid := _grid(*group)) is not None]
    return sorted(found, key=lambda grid: grid.ys[0])


def _groups(across: list[_Line], down: list[_Line]) -> Iterator[tuple[list[_Line], list[_Line]]]:
    """Groups of lines that meet one another, directly or through other lines of the group."""
    left = (set(across), set(down))
    while left[0] and left[1]:
        group: tuple[set[_Line], set[_Line]] = (set(), set())
        waiting: list[tuple[int, _Line]] = [(0, left[0].pop())]
        while waiting:
            kind, line = waiting.pop()
            group[kind].add(line)
            meeting = [other for other in left[1 - kind] if line.covers(other.at) and other.covers(line.at)]
            left[1 - kind].difference_update(meeting)
            waiting += [(1 - kind, other) for other in meeting]
        yield list(group[0]), list(group[1])


def _grid(across: list[_Line], down: list[_Line]) -> Grid | None:
    xs, ys = _places(down), _places(across)
    if len(xs) < 3 or len(ys) < 3:
        return None
    return Grid(xs, ys, across, down)


def _places(lines: Sequence[_Line]) -> list[float]:
    found: list[float] = []
    for at in sorted(line.at for line in lines):
        if not found or at - found[-1] > _NEAR:
            found.append(at)
    return found


def _interval(places: Sequence[float], at: float) -> int:
    return max(index for index in range(len(places) - 1) if places[index] <= at or index == 0)


def _between(places: Sequence[float], index: int) -> float:
    return (places[index] + places[index + 1]) / 2


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _lines(page: Any, turn: int) -> Iterator[Place]:
    from pypdfium2.raw import FPDF_PAGEOBJ_PATH

    for number, drawn in enumerate(page.get_objects(filter=(FPDF_PAGEOBJ_PATH,), max_depth=3)):
        if number >= _MOST_PATHS:
            return
        for segment in _segments(drawn):
            box = turned(segment, turn)
            width, height = box.right - box.left, box.height
            if min(width, height) <= _NEAR and max(width, height) >= _SHORTEST:
                yield box


def _segments(drawn: Any) -> Iterator[tuple[float, float, float, float]]:
    """The straight lines of a path, in the page's coordinates; a filled bar counts by its edges."""
    import pypdfium2

    raw: Any = pypdfium2.raw
    matrix = drawn.get_matrix()
    first = last = None
    x, y = ctypes.c_float(), ctypes.c_float()
    for index in range(min(raw.FPDFPath_CountSegments(drawn), _MOST_LINES)):
        segment = raw.FPDFPath_GetPathSegment(drawn, index)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = matrix.on_point(x.value, y.value)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == raw.FPDF_SEGMENT_LINETO and last is not None:
            yield _around(last, point)
        if raw.FPDFPathSegment_GetClose(segment) and first is not None:
            yield _around(point, first)
        last = point


def _around(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float, float, float]:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])
