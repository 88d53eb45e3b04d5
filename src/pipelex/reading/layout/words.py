"""The words of a PDF page and their places on it, for a page that is rotated so that its text is upright."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import pi
from typing import Any, Final

_SAMPLE: Final = 200
"""The number of letters whose direction is checked, about."""
_MOST_CHARS: Final = 100_000
"""The number of characters above which a page keeps the file's order, because checking each would take too long."""


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on an upright page, in points: y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """Its height."""
        return self.bottom - self.top

    def with_other(self, other: "Place") -> "Place":
        """The smallest box around both."""
        return Place(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True, slots=True)
class Word:
    """A word, and where it stands."""

    text: str
    box: Place
    rank: int
    """Its rank in the order in which the file holds the words; within a line, that is the reading order."""


def turned(box: tuple[float, float, float, float], quarters: int) -> Place:
    """A box in the page's own coordinates, whose y grows upwards, on the page rotated so that its text is upright.

    Args:
        box: left, bottom, right, top.
        quarters: the number of quarter turns, counter-clockwise, by which the text is rotated on the page.
    """
    left, bottom, right, top = box
    match quarters % 4:
        case 0:
            return Place(left, -top, right, -bottom)
        case 1:
            return Place(bottom, left, top, right)
        case 2:
            return Place(-right, bottom, -left, top)
        case _:
            return Place(-top, -right, -bottom, -left)


def words_of(textpage: Any) -> tuple[list[Word], int]:
    """The words of a page, and the number of quarter turns by which most of them are rotated.

    Args:
        textpage: the page's text, an object of PDFium's binding.
    """
    count = textpage.count_chars()
    if not 0 < count <= _MOST_CHARS:
        return [], 0
    turn = _turn_of(textpage, count)
    return list(_words(textpage, count, turn)), turn


def _turn_of(textpage: Any, count: int) -> int:
    import pypdfium2

    raw: Any = pypdfium2.raw
    looked_at = range(0, count, max(1, count // _SAMPLE))
    turns = Counter(round(-raw.FPDFText_GetCharAngle(textpage, index) / (pi / 2)) % 4 for index in looked_at)
    return turns.most_common(1)[0][0]


def _words(textpage: Any, count: int, turn: int) -> Iterator[Word]:
    """The words in the file's order. Calls to PDFium take most of the time, so each letter makes only two."""
    import pypdfium2

    raw: Any = pypdfium2.raw
    unicode_of, box_of = raw.FPDFText_GetUnicode, raw.FPDFText_GetLooseCharBox
    is_lying = turn % 2 == 1
    place = raw.FS_RECTF()
    letters, rank = list[str](), 0
    left = bottom = right = top = 0.0
    for index in range(count + 1):
        letter = chr(unicode_of(textpage, index)) if index < count else " "
        is_space = letter.isspace() or letter == "\x00"
        if not is_space:
            box_of(textpage, index, place)
        if letters and (is_space or _is_far((left, bottom, right, top), place, is_lying=is_lying)):
            yield Word("".join(letters), turned((left, bottom, right, top), turn), rank)
            letters, rank = [], rank + 1
        if is_space:
            continue
        if letters:
            left, bottom = min(left, place.left), min(bottom, place.bottom)
            right, top = max(right, place.right), max(top, place.top)
        else:
            left, bottom, right, top = place.left, place.bottom, place.right, place.top
        letters.append("-" if letter in "\x02\ufffe" else letter)


def _is_far(word: tuple[float, float, float, float], letter: Any, *, is_lying: bool) -> bool:
    """Whether a letter belongs to another word although no space separates them."""
    left, bottom, right, top = word
    along = max(letter.left - right, left - letter.right)
    across = max(letter.bottom - top, bottom - letter.top)
    height = top - bottom
    if is_lying:
        along, across, height = across, along, right - left
    return along > max(height, 1.0) or across > 0
