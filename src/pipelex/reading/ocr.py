"""Text out of images in this process, by RapidOCR; its models come inside its wheel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pipelex.reading.source import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

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

    Raises:
        MissingExtra: the extra `ocr` is not installed.
    """
    engine = _engine()
    import numpy

    pixels = numpy.asarray(image.convert("RGB"))[:, :, ::-1]
    found: Any = engine(pixels)
    if found.txts is None or found.boxes is None:
        return ""
    boxes: list[TextBox] = []
    for text, corners in zip(cast("Sequence[str]", found.txts), found.boxes, strict=True):
        xs, ys = [float(point[0]) for point in corners], [float(point[1]) for point in corners]
        boxes.append(TextBox(text.strip(), min(xs), min(ys), max(xs), max(ys)))
    return in_lines([box for box in boxes if box.text])


def _engine() -> Any:
    if not _engines:
        try:
            from rapidocr import RapidOCR
        except ImportError:
            raise MissingExtra("ocr", "reading text in images") from None
        _engines.append(RapidOCR(params={"Global.log_level": "critical"}))
    return _engines[0]


def in_lines(boxes: Sequence[TextBox]) -> str:
    """Boxes as text: those at one height become a line, from left to right; a wide gap between lines a blank one."""
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
