"""The text in images, read in this process by RapidOCR, whose models come with its wheel."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final, cast

from pipelex.reading.layout import Place, Word, in_columns
from pipelex.reading.pictures import even, opaque, visible
from pipelex.reading.source import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

_PRINTED: Final = 12.0
"""The height of a line in print, in points."""
_engines: list[Any] = []


@dataclass(frozen=True)
class TextBox:
    """A piece of text and where it stands, in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


def prepare() -> None:
    """Load the models, which takes a moment and some memory.

    Raises:
        MissingExtra: the extra `ocr` is not installed.
    """
    _engine()


def text_in(image: "Image") -> str:
    """The lines of text in an image, from top to bottom; empty when there are none.

    An image that reads badly is also tried in other rotations, and the best reading is returned.

    Raises: MissingExtra: the extra `ocr` is not installed.
    """
    image = opaque(visible(even(image)))
    best = _look(image)
    for degrees in best.other_turns:
        look = _look(image.rotate(degrees, expand=True))
        best = max(best, look, key=lambda each: each.worth)
        if look.is_good:
            break
    return in_lines(best.boxes)


_SURE: Final = 0.9
"""The mean confidence above which an image counts as upright; rotated text reads with less confidence, or not at all.
"""


@dataclass(frozen=True)
class _TurnedReading:
    """The text that was read in one rotation of an image."""

    boxes: Sequence[TextBox]
    confidences: Sequence[float]

    @property
    def worth(self) -> float:
        """The number of letters, weighted by the confidence of their piece; pieces that stand on end count less."""
        return sum(
            len(box.text) * confidence**2 * (0.3 if _is_on_end(box) else 1.0)
            for box, confidence in zip(self.boxes, self.confidences, strict=True)
        )

    @property
    def is_good(self) -> bool:
        """Whether the image is upright, as far as its text shows."""
        sure = sum(len(box.text) * each for box, each in zip(self.boxes, self.confidences, strict=True))
        return not self._stands_on_end and sure >= _SURE * self._letters

    @property
    def other_turns(self) -> Sequence[int]:
        """The other rotations, in degrees, in which the image may read better."""
        if self._stands_on_end:
            return (90, 270)
        return () if self.is_good else (180,)

    @property
    def _letters(self) -> int:
        return sum(len(box.text) for box in self.boxes)

    @property
    def _stands_on_end(self) -> bool:
        return sum(len(box.text) for box in self.boxes if _is_on_end(box)) * 2 > self._letters


def _is_on_end(box: TextBox) -> bool:
    return len(box.text) > 1 and box.bottom - box.top > 1.5 * (box.right - box.left)


def _look(image: "Image") -> _TurnedReading:
    engine = _engine()
    import numpy

    pixels = numpy.asarray(image)[:, :, ::-1]
    # The library's classifier turns upside-down lines round, but keeps their wrong order on the page.
    found: Any = engine(pixels, use_cls=False)
    if found.txts is None or found.boxes is None:
        return _TurnedReading((), ())
    boxes: list[TextBox] = []
    confidences: list[float] = []
    read = zip(cast("Sequence[str]", found.txts), cast("Sequence[float]", found.scores), found.boxes, strict=True)
    for text, confidence, corners in read:
        if text.strip():
            xs, ys = [float(point[0]) for point in corners], [float(point[1]) for point in corners]
            boxes.append(TextBox(text.strip(), min(xs), min(ys), max(xs), max(ys)))
            confidences.append(float(confidence))
    return _TurnedReading(boxes, confidences)


def _engine() -> Any:
    if not _engines:
        try:
            from rapidocr import RapidOCR
        except ImportError:
            raise MissingExtra("ocr", "reading text in images") from None
        _engines.append(RapidOCR(params={"Global.log_level": "critical"}))
    return _engines[0]


def in_lines(boxes: Sequence[TextBox]) -> str:
    """Boxes as text, in reading order: columns one after the other, tables as tables of Markdown.

    On other pages, boxes at one height form a line, from left to right; a wide gap becomes a blank line.
    """
    return in_columns(list(_words(boxes))) or _row_by_row(boxes)


def _words(boxes: Sequence[TextBox]) -> Iterator[Word]:
    """The words of the boxes, scaled to a height that is usual in print; each reaches to the next one of its box."""
    heights = [box.bottom - box.top for box in boxes]
    scale = _PRINTED / (median(heights) or 1.0) if heights else 1.0
    rank = 0
    for box in boxes:
        step = scale * (box.right - box.left) / len(box.text)
        for found in re.finditer(r"\S+\s*", box.text):
            left = scale * box.left + step * found.start()
            place = Place(left, scale * box.top, left + step * len(found[0]), scale * box.bottom)
            yield Word(found[0].rstrip(), place, rank)
            rank += 1


def _row_by_row(boxes: Sequence[TextBox]) -> str:
    rows: list[list[TextBox]] = []
    for box in sorted(boxes, key=lambda box: (box.top + box.bottom, box.left)):
        middle = (box.top + box.bottom) / 2
        if rows and (first := rows[-1][0]).top < middle < first.bottom:
            rows[-1].append(box)
        else:
            rows.append([box])
    lines: list[str] = []
    above: TextBox | None = None
    for row in rows:
        first = row[0]
        if above is not None and first.top - above.bottom > 1.5 * (above.bottom - above.top):
            lines.append("")
        lines.append("  ".join(box.text for box in sorted(row, key=lambda box: box.left)))
        above = first
    return "\n".join(lines)
