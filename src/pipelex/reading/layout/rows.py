"""Words grouped into rows, and rows into bands: columns of prose, and tables without lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import mean
from typing import Final

from pipelex.reading.layout.words import Place, Word

PARAGRAPH: Final = 0.9
"""The space between rows, in row heights, above which a new paragraph begins."""
_GUTTER: Final = 8.0
"""The least width of the space between two columns, in points."""
_FEWEST_ROWS: Final = 3
_WORDY: Final = 3.5
"""The average number of words in a piece of a column, above which columns are prose; below it, they are cells."""
_MARK: Final = re.compile(r"[•·‣◦▪■●*–—-]|\(?(?:\d{1,3}|[ivxIVX]{1,4}|[a-zA-Z])[.)]")
_RIGHT_TO_LEFT: Final = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")

_Gap = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """Words at one height, from left to right."""

    words: Sequence[Word]

    @cached_property
    def box(self) -> Place:
        """The place of the row."""
        box = self.words[0].box
        for word in self.words[1:]:
            box = box.with_other(word.box)
        return box

    @cached_property
    def gaps(self) -> list[_Gap]:
        """The wide spaces in the row, including those before its first word and after its last."""
        ends = [float("-inf")]
        found: list[_Gap] = []
        for word in self.words:
            if word.box.left - ends[-1] >= _GUTTER:
                found.append((ends[-1], word.box.left))
            ends.append(max(ends[-1], word.box.right))
        return [*found, (ends[-1], float("inf"))]

    def between(self, start: float, end: float) -> list[Word]:
        """The words of the row in a column."""
        return [word for word in self.words if start <= word.box.middle[0] < end]


@dataclass(frozen=True)
class Band:
    """Rows below one another, with the spaces that run through all of them."""

    rows: Sequence[Row]
    gutters: Sequence[_Gap] = ()

    @cached_property
    def columns(self) -> list[tuple[float, float]]:
        """Where each column begins and ends."""
        middles = [(start + end) / 2 for start, end in self.gutters]
        return list(pairwise([float("-inf"), *middles, float("inf")]))

    @cached_property
    def cells(self) -> list[list[list[Word]]]:
        """The words of each row in each column."""
        return [[row.between(start, end) for start, end in self.columns] for row in self.rows]

    @property
    def is_prose(self) -> bool:
        """Whether each column is running text, to be read to its end before the next one."""
        return min(self._wordiness) > _WORDY

    @property
    def is_table(self) -> bool:
        """Whether its columns hold cells."""
        cells = [cell for row in self.cells for cell in row if cell]
        return mean(len(cell) for cell in cells) <= _WORDY

    @cached_property
    def _wordiness(self) -> list[float]:
        columns = zip(*self.cells, strict=True)
        return [mean(len(cell) for cell in column if cell) for column in columns]


def rows_of(words: Sequence[Word]) -> list[Row]:
    """The rows that the words form, from top to bottom."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word.box.middle[1], word.box.left)):
        if rows and _is_beside(rows[-1], word):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [Row(sorted(row, key=lambda word: word.box.left)) for row in rows]


def _is_beside(row: Sequence[Word], word: Word) -> bool:
    box = row[0].box
    shared = min(box.bottom, word.box.bottom) - max(box.top, word.box.top)
    return shared > 0.4 * min(box.height, word.box.height) or abs(box.middle[1] - word.box.middle[1]) < 1.5


def bands_of(rows: Sequence[Row]) -> Iterator[Band]:
    """The bands that the rows form, from top to bottom; a band ends where no space runs on through the next row."""
    start = 0
    while start < len(rows):
        end, gutters = _reach(rows, start)
        yield Band(rows[start:end], gutters)
        start = end


def _reach(rows: Sequence[Row], start: int) -> tuple[int, list[_Gap]]:
    """The end of the band that begins at a row, and its gutters; a band of a single row has none."""
    free = rows[start].gaps
    best: tuple[int, list[_Gap]] = (start + 1, [])
    for end in range(start + 1, len(rows) + 1):
        gutters = _inner(rows[start:end], free)
        if _is_after(rows[end - 1], gutters, best[1]):
            break
        if gutters:
            best = (end, gutters)
        elif best[1] or end - start > _FEWEST_ROWS:
            break
        if end < len(rows):
            free = _shared(free, rows[end].gaps)
    return best if best[1] and _begins(rows[start : best[0]], best[1]) else (start + 1, [])


def _is_after(row: Row, gutters: Sequence[_Gap], before: Sequence[_Gap]) -> bool:
    """Whether a row closes a gutter and has words in the first column only, like the sentence below a table."""
    return 0 < len(gutters) < len(before) and row.box.right < gutters[0][1]


def _begins(rows: Sequence[Row], gutters: Sequence[_Gap]) -> bool:
    """Whether a band begins with the first of these rows; a heading above the first column stays on its own.

    Later columns may begin higher than the first: their first line, or the head of a table without a name for its
    first column. A line that stands apart from the column below it, like a date, is no part of it.
    """
    row, (start, end) = rows[0], gutters[0]
    if row.box.left < start:
        return row.box.right > end
    below = next((part for other in rows[1:] if (part := other.between(row.box.left, row.box.right))), None)
    return below is not None and Row(below).box.top - row.box.bottom < PARAGRAPH * row.box.height


def _shared(some: Sequence[_Gap], others: Sequence[_Gap]) -> list[_Gap]:
    found = [(max(a[0], b[0]), min(a[1], b[1])) for a in some for b in others]
    return [gap for gap in found if gap[1] - gap[0] >= _GUTTER]


def _inner(rows: Sequence[Row], free: Sequence[_Gap]) -> list[_Gap]:
    """The spaces with words on both sides in enough rows, except those after the markers of a list."""
    found: list[_Gap] = []
    for gap in free:
        if gap[0] == float("-inf") or gap[1] == float("inf"):
            continue
        both = [row for row in rows if row.box.left < gap[0] + 0.1 and row.box.right > gap[1] - 0.1]
        if len(both) < _FEWEST_ROWS:
            continue
        marks = [row.between(float("-inf"), (gap[0] + gap[1]) / 2) for row in both]
        if not all(len(words) == 1 and _MARK.fullmatch(words[0].text) for words in marks):
            found.append(gap)
    return found


def text_of(words: Sequence[Word]) -> str:
    """The text of one line; words that are written from the right keep the order in which the file holds them."""
    if any(_RIGHT_TO_LEFT.search(word.text) for word in words):
        words = sorted(words, key=lambda word: word.rank)
    return " ".join(word.text for word in words)
